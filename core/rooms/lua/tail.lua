enter(table.remove(ARGV))
-- Reads what a role's recipient may have missed. ARGV: prefix, call, role, epoch, number, history.
-- Reply: epoch ('' where there is no room), last number for the role, complete (1/0), read from number, entries...
local call, role, since_epoch, from = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('EXISTS', key('room', call)) == 0 then return { '', 0, 0, 0 } end
local epoch = enter_room(call)
from = resume_from(call, epoch, since_epoch, from)
local last, complete, tail = read_tail(call, role, from)
local reply = { epoch, last, (complete and epoch == since_epoch) and 1 or 0, from }
for _, entry in ipairs(tail) do table.insert(reply, entry) end
return reply
