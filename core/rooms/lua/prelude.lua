-- Shared by every room script; the loader puts it in front of each. ARGV[1] is always the key prefix.
-- Roles: 'a' is the caller, 'b' the callee. Keys and their shapes: docs/decisions and core/protocol/keys.ts.
local P = ARGV[1]

-- Contract decisions, "What may be stored": SDP and candidates live 2 minutes after the call's last message.
local LOG_TTL_MS = 120000
-- Outlives the log; every node refreshes the rooms of its peers long before (upkeep every 30 s).
local ROOM_TTL_MS = 300000
-- Architecture, "Relay": a call keeps at most 256 messages and 1 MiB.
local LOG_MAX_ENTRIES = 256
local LOG_MAX_BYTES = 1048576
-- Places of lost connections that a side may leave behind; a user has five connections at once.
local CURSORS_MAX = 16
-- Ids of dropped messages are kept in two generations of so many: what is forgotten was followed by 512 of its call.
local ID_GENERATION = 512

local function key(kind, id) return P .. kind .. ':' .. id end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- The time of this server's data, see enter().
local generation = ''

-- Says which server the caller is connected to, by its replication id ('' where that is hidden). An id that the data
-- has not seen says that they were copied to another server: a replica was promoted, or a server came back with what it
-- had once saved. Either may be older than what was told to clients, so a new generation begins, and every room that is
-- entered in it begins a new epoch (decisions/0102). Ids stay known: one may change while connections of its time last.
local function enter(history)
  local known = redis.call('HMGET', P .. 'history', 'generation', 'id:' .. history)
  generation = known[1]
  if generation and (known[2] or history == '') then return end
  generation = string.format('%.0f', math.max(now_ms(), tonumber(known[1] or '0') + 1))
  redis.call('HSET', P .. 'history', 'generation', generation, 'id:' .. history, 1)
end

-- A room that was never there, expired, or was wiped starts a new epoch: numbers of another epoch mean nothing here.
local function open_room(call)
  local epoch = string.format('%.0f', now_ms())
  -- The version of who is present goes on from the clock, so that it rises across a wipe, too.
  redis.call('HSET', key('room', call), 'e', epoch, 'pv', epoch, 'n', 0, 'la', 0, 'lb', 0, 'ta', 0, 'tb', 0, 'bytes', 0,
    'ca', '', 'cb', '', 'ix', '', 'x', 0, 'g', generation, 'pe', '', 'pn', 0, 'cv', epoch)
  redis.call('DEL', key('log', call), key('sdp', call), key('ids', call), key('ids0', call), key('cursor', call))
  return epoch
end

-- A room that was copied to another server. What it holds is good up to its last number, 'pn': the log goes on from there
-- in a new epoch, so that no number is given twice. Who was connected is written again by the nodes, as after a wipe.
local function reopen_room(call, before, number, version)
  -- Above every version that was announced, also by a server whose clock was ahead.
  local epoch = string.format('%.0f', math.max(now_ms(), tonumber(before) + 1, tonumber(version) + 1000))
  redis.call('HSET', key('room', call), 'e', epoch, 'pv', epoch, 'pe', before, 'pn', number, 'g', generation, 'na', '',
    'nb', '', 'x', 0)
  -- The same for whether anybody is connected: the lost server may have counted on.
  local connected = tonumber(redis.call('HGET', key('room', call), 'cv') or '0')
  redis.call('HSET', key('room', call), 'cv', string.format('%.0f', math.max(tonumber(epoch), connected + 1000)))
  redis.call('DEL', key('roster', call))
  return epoch
end

-- The epoch of a room in this generation.
local function enter_room(call)
  local state = redis.call('HMGET', key('room', call), 'e', 'g', 'n', 'pv')
  if not state[1] then return open_room(call) end
  if state[2] == generation then return state[1] end
  return reopen_room(call, state[1], state[3], state[4])
end

-- Where a reader goes on that had everything up to a place: in this epoch there, in the one before it no further than
-- what was copied, else from the beginning.
local function resume_from(call, epoch, since_epoch, since)
  if since_epoch == epoch then return since end
  local copied = redis.call('HMGET', key('room', call), 'pe', 'pn')
  if since_epoch ~= '' and since_epoch == copied[1] then return math.min(since, tonumber(copied[2])) end
  return 0
end

-- Who is connected, from the roster alone: the nodes of each role and the number of connections.
local function read_roster(call)
  local flat = redis.call('HGETALL', key('roster', call))
  local nodes, count, seen = { a = {}, b = {} }, { a = 0, b = 0 }, {}
  for i = 1, #flat, 2 do
    local role, node = string.match(flat[i + 1], '^(%a)|(.*)$')
    count[role] = count[role] + 1
    if not seen[role .. node] then
      seen[role .. node] = true
      table.insert(nodes[role], node)
    end
  end
  return nodes, count, flat
end

-- Writes the node lists that the relay reads, and gives the counts.
local function index_roster(call)
  local nodes, count = read_roster(call)
  redis.call('HSET', key('room', call), 'na', table.concat(nodes.a, ','), 'nb', table.concat(nodes.b, ','))
  return nodes, count
end

-- Between somebody and nobody who is connected lies a version, so that whoever writes it down elsewhere, and later than
-- another node, knows which of the two was seen last. It counts from the clock, as 'pv' does.
local function occupancy_changed(call) return redis.call('HINCRBY', key('room', call), 'cv', 1) end

local function occupancy(call) return tonumber(redis.call('HGET', key('room', call), 'cv') or 0) end

local function in_grace(call, role) return redis.call('ZSCORE', P .. 'graces', call .. '|' .. role) ~= false end

-- The roles that are in the room for its users: connected, or lost and still within the reconnect grace.
local function present(call, count)
  local roles = ''
  for _, role in ipairs({ 'a', 'b' }) do
    if count[role] > 0 or in_grace(call, role) then roles = roles .. role end
  end
  return roles
end

-- One item of an inbox: a header line that ends with the body's length in bytes, then the body.
local function item(kind, call, role, first, second, third, body)
  return table.concat({ kind, call, role, first, second, third, #body }, ' ') .. '\n' .. body
end

-- Hands items to a node. The counter tells the node of a publish that it never got.
local function send_inbox(node, items)
  local number = redis.call('HINCRBY', P .. 'inboxes', node, 1)
  redis.call('PUBLISH', P .. 'inbox:' .. node, number .. '\n' .. table.concat(items))
end

-- Tells every node with peers of the call, but `except`, that a user came ('J') or went ('L').
local function announce(kind, call, role, nodes, count, except)
  local version = redis.call('HINCRBY', key('room', call), 'pv', 1)
  local roles = present(call, count)
  local told = {}
  for _, side in ipairs({ 'a', 'b' }) do
    for _, node in ipairs(nodes[side]) do
      if node ~= except and not told[node] then
        told[node] = true
        send_inbox(node, { item(kind, call, role, version, roles == '' and '-' or roles, 0, '') })
      end
    end
  end
  return version, roles
end

-- 'o' for an offer, 'a' for an answer, 'c' for a candidate: the tag in front of a body (gateway/relayed-body.ts), which
-- stands behind the old place where the message was written again.
local function tag_of(entry)
  local tag = string.match(entry, '^%a|%d+|%d+|[^|]*|(%a)')
  if tag == 'R' then tag = string.match(entry, '^%a|%d+|%d+|[^|]*|R[^|]*|(%a)') end
  return tag
end

-- The last offer and the last answer to a role that the log has dropped, unless the log has a later one: candidates are
-- worth nothing to a client that never got the description that they belong to.
local function kept_descriptions(call, role, from, tail)
  local later = {}
  for _, entry in ipairs(tail) do later[tag_of(entry)] = true end
  local kept = {}
  for i, entry in ipairs(redis.call('HMGET', key('sdp', call), role .. 'o', role .. 'a')) do
    local number = entry and tonumber(string.match(entry, '^%a|(%d+)|'))
    if number and number > from and not later[i == 1 and 'o' or 'a'] then table.insert(kept, { number, entry }) end
  end
  table.sort(kept, function(one, other) return one[1] < other[1] end)
  return kept
end

-- The entries for a role after a number, and whether nothing between may be missing.
local function read_tail(call, role, from)
  local room = redis.call('HMGET', key('room', call), 'l' .. role, 't' .. role)
  local last, forgotten = tonumber(room[1]), tonumber(room[2])
  local entries = redis.call('LRANGE', key('log', call), 0, -1)
  if #entries == 0 then forgotten = last end
  local tail = {}
  for _, entry in ipairs(entries) do
    local to, number = string.match(entry, '^(%a)|(%d+)|')
    if to == role and tonumber(number) > from then table.insert(tail, entry) end
  end
  if from < forgotten and #entries > 0 then
    for i, description in ipairs(kept_descriptions(call, role, from, tail)) do table.insert(tail, i, description[2]) end
  end
  return last, from >= forgotten, tail
end

-- A connection is gone without a goodbye, or its node is dead: the user keeps its place until the grace is over.
local function lose_role(call, role, due_ms)
  redis.call('HSET', key('room', call), 's' .. role, 'disconnected')
  redis.call('ZADD', P .. 'graces', due_ms, call .. '|' .. role)
end

-- Notes how far a connection or a device has confirmed, while the call is not over. Of too many places of a side the one that has confirmed most is
-- forgotten: whoever comes back without a place gets more again, never less.
local function set_cursor(call, role, field, number)
  local cursor = key('cursor', call)
  if redis.call('HGET', key('room', call), 'over') then return end
  if redis.call('HSET', cursor, field, number) == 0 or redis.call('HLEN', cursor) <= CURSORS_MAX then return end
  local flat = redis.call('HGETALL', cursor)
  local count, most, highest = 1, nil, -1
  for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 1) == role and flat[i] ~= field then
      count = count + 1
      local confirmed = tonumber(flat[i + 1]) or 0
      if confirmed > highest then most, highest = flat[i], confirmed end
    end
  end
  if count > CURSORS_MAX then redis.call('HDEL', cursor, most) end
end

local function keep_room(call)
  for _, kind in ipairs({ 'room', 'roster', 'cursor', 'ids', 'ids0' }) do
    redis.call('PEXPIRE', key(kind, call), ROOM_TTL_MS)
  end
end
