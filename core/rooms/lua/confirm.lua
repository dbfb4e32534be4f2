enter(table.remove(ARGV))
-- Keeps what a peer confirmed by a pong, so that a naive rejoin anywhere starts after it. ARGV: prefix, call, role,
-- connection, device, epoch, number, history. A number of another epoch says nothing: it could be ahead of this log.
local call, role, connection, device = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('HGET', key('room', call), 'e') ~= ARGV[6] then return 0 end
set_cursor(call, role, device ~= '' and (role .. 'd:' .. device) or (role .. 'c:' .. connection), ARGV[7])
redis.call('PEXPIRE', key('cursor', call), ROOM_TTL_MS)
return 1
