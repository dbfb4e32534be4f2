enter(table.remove(ARGV))
-- Puts a connection into the roster and reads the log's tail in one step: any append after it sees the roster, any
-- append before it is in the tail. ARGV: prefix, node, call, role, connection, device ('' = none), mode, epoch, number, history.
-- Modes: 'naive' (replay what the lost connection had not confirmed), 'since' (replay what follows epoch and number),
-- 'restore' (the node writes its peers again: after a wipe nobody is told, as nobody was told that they were gone; after
-- a funeral the user is announced, if it was taken for gone).
-- Reply: epoch, replayed from number, last number for the role, recovered (1/0; 'naive': nothing that waited was dropped), announced (1/0), version, present roles, was empty (1/0),
-- version of whether anybody is connected, tail...
local node, call, role, connection, device = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local mode, since_epoch, since = ARGV[7], ARGV[8], tonumber(ARGV[9]) or 0

local room, cursor = key('room', call), key('cursor', call)
local epoch = enter_room(call)

local _, before, roster = read_roster(call)
local was_present = before[role] > 0 or in_grace(call, role)
local was_empty = before.a + before.b == 0

-- A connection without a device adopts the place of the lost connection of its user that had confirmed least.
local function abandoned_cursor()
  local connected, lowest, field = {}, nil, nil
  for i = 1, #roster, 2 do connected[role .. 'c:' .. roster[i]] = true end
  local flat = redis.call('HGETALL', cursor)
  for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 3) == role .. 'c:' and not connected[flat[i]] then
      local number = tonumber(flat[i + 1])
      if lowest == nil or number < lowest then lowest, field = number, flat[i] end
    end
  end
  if field then redis.call('HDEL', cursor, field) end
  return lowest or 0
end

local own_cursor = device ~= '' and (role .. 'd:' .. device) or (role .. 'c:' .. connection)
local from
if mode == 'naive' then
  from = device ~= '' and (tonumber(redis.call('HGET', cursor, own_cursor) or '0')) or abandoned_cursor()
else
  from = resume_from(call, epoch, since_epoch, since)
end
local last, complete, tail = read_tail(call, role, from)
-- A place ahead of the log is none that was given out for this log: taken at its word it would hide messages until the
-- numbers reach it, also from the connection that comes next, by its cursor.
from = math.min(from, last)
local recovered = complete and (mode == 'naive' or since_epoch == epoch and since <= last)

redis.call('HSET', key('roster', call), connection, role .. '|' .. node)
redis.call('SADD', key('calls', node), call)
redis.call('ZREM', P .. 'graces', call .. '|' .. role)
redis.call('HSET', room, 's' .. role, 'connected')
set_cursor(call, role, own_cursor, from)
local nodes, count = index_roster(call)
keep_room(call)

local occupied = was_empty and occupancy_changed(call) or occupancy(call)
local version, roles = redis.call('HGET', room, 'pv') or 0, present(call, count)
local announced = not was_present and (mode ~= 'restore' or since_epoch == epoch)
if announced then version, roles = announce('J', call, role, nodes, count, node) end

local reply = { epoch, from, last, recovered and 1 or 0, announced and 1 or 0, tonumber(version), roles, was_empty and 1 or 0,
  occupied }
for _, entry in ipairs(tail) do table.insert(reply, entry) end
return reply
