-- Counts connections in and out, many in one run. ARGV: prefix, lease in ms, then per connection eight values: '+' or
-- '-', user, connection, kind ('call' or 'user'), node, call, device, limit. Connections of nodes that stopped beating do
-- not count. A new connection of the same device to the same call takes the place of its old one; its node is told.
-- Reply: per connection 1 taken (or counted out), 0 refused.
local lease_ms, now = tonumber(ARGV[2]), now_ms()
local beats = {}

local function is_alive(node)
  if beats[node] == nil then
    local beat = redis.call('ZSCORE', P .. 'nodes', node)
    beats[node] = beat ~= false and tonumber(beat) >= now - lease_ms
  end
  return beats[node]
end

local function count_in(user, connection, kind, node, call, device, limit)
  local conns = key('conns', user)
  local flat, count, replaced = redis.call('HGETALL', conns), 0, {}
  for i = 1, #flat, 2 do
    local its_kind, its_node, its_call, its_device = string.match(flat[i + 1], '^(%a+)|([^|]*)|([^|]*)|(.*)$')
    if not is_alive(its_node) then
      redis.call('HDEL', conns, flat[i])
    elseif its_kind == kind then
      if kind == 'call' and device ~= '' and its_device == device and its_call == call then
        table.insert(replaced, { its_node, flat[i] })
      else
        count = count + 1
      end
    end
  end
  if count >= limit then return 0 end
  for _, old in ipairs(replaced) do
    redis.call('HDEL', conns, old[2])
    send_inbox(old[1], { item('C', call, 'a', 0, 0, 0, old[2]) })
  end
  redis.call('HSET', conns, connection, table.concat({ kind, node, call, device }, '|'))
  redis.call('PEXPIRE', conns, ROOM_TTL_MS)
  return 1
end

local reply = {}
for i = 3, #ARGV, 8 do
  local user, connection = ARGV[i + 1], ARGV[i + 2]
  local function change()
    if ARGV[i] == '+' then
      return count_in(user, connection, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], tonumber(ARGV[i + 7]))
    end
    redis.call('HDEL', key('conns', user), connection)
    return 1
  end
  local done, result = pcall(change)
  if not done then
    -- Somebody else wrote to the user's key: it may vanish at any moment anyway, and must not stand in others' way.
    redis.call('DEL', key('conns', user))
    result = change()
  end
  table.insert(reply, result)
end
return reply
