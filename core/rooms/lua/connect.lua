-- Counts a connection in, or refuses it. ARGV: prefix, user, connection, kind ('call' or 'user'), node, call, device,
-- limit, lease in ms. Connections of nodes that stopped beating do not count. A new connection of the same device to
-- the same call takes the place of its old one. Reply: 1 taken or 0 refused, then replaced connections as node, id.
local user, connection, kind, node = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local call, device, limit, lease_ms = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local conns, now = key('conns', user), now_ms()

local flat, count, replaced = redis.call('HGETALL', conns), 0, {}
for i = 1, #flat, 2 do
  local its_kind, its_node, its_call, its_device = string.match(flat[i + 1], '^(%a+)|([^|]*)|([^|]*)|(.*)$')
  local beat = redis.call('ZSCORE', P .. 'nodes', its_node)
  if not beat or tonumber(beat) < now - lease_ms then
    redis.call('HDEL', conns, flat[i])
  elseif its_kind == kind then
    if kind == 'call' and device ~= '' and its_device == device and its_call == call then
      table.insert(replaced, { its_node, flat[i] })
    else
      count = count + 1
    end
  end
end
if count >= limit then return { 0 } end

local reply = { 1 }
for _, old in ipairs(replaced) do
  redis.call('HDEL', conns, old[2])
  send_inbox(old[1], { item('C', call, 'a', 0, 0, 0, old[2]) })
  table.insert(reply, old[1])
  table.insert(reply, old[2])
end
redis.call('HSET', conns, connection, table.concat({ kind, node, call, device }, '|'))
redis.call('PEXPIRE', conns, ROOM_TTL_MS)
return reply
