enter(table.remove(ARGV))
-- Takes a connection out of the roster. ARGV: prefix, node, call, role, connection, device, how ('clean' or 'lost'),
-- grace in ms, confirmed epoch, confirmed number, history. A clean leave of a user's last connection is announced at once, a
-- lost one after the grace. Reply: left (1/0), version, present roles, empty (1/0), had a seat (1/0),
-- version of whether anybody is connected (0 = there is no room).
local node, call, role, connection, device = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local how, grace_ms, epoch, confirmed = ARGV[7], tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local room = key('room', call)
if redis.call('EXISTS', room) == 1 then enter_room(call) end

if redis.call('HDEL', key('roster', call), connection) == 0 then
  local _, count = read_roster(call)
  return { 0, tonumber(redis.call('HGET', room, 'pv') or 0), present(call, count), count.a + count.b == 0 and 1 or 0, 0,
    occupancy(call) }
end
if redis.call('HGET', room, 'e') == epoch then
  local field = device ~= '' and (role .. 'd:' .. device) or (role .. 'c:' .. connection)
  set_cursor(call, role, field, confirmed)
end
local nodes, count = index_roster(call)
local still_here = false
for _, side in ipairs({ 'a', 'b' }) do
  for _, name in ipairs(nodes[side]) do still_here = still_here or name == node end
end
if not still_here then redis.call('SREM', key('calls', node), call) end

local left, version = 0, tonumber(redis.call('HGET', room, 'pv') or 0)
if count[role] == 0 then
  if how == 'clean' then
    left = 1
    redis.call('HSET', room, 's' .. role, 'disconnected')
    redis.call('ZREM', P .. 'graces', call .. '|' .. role)
    version = announce('L', call, role, nodes, count, node)
  else
    lose_role(call, role, now_ms() + grace_ms)
  end
end
keep_room(call)
local is_empty = count.a + count.b == 0
return { left, version, present(call, count), is_empty and 1 or 0, 1,
  is_empty and occupancy_changed(call) or occupancy(call) }
