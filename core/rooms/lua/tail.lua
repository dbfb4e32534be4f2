-- Reads what a role's recipient may have missed. ARGV: prefix, call, role, epoch, number.
-- Reply: epoch ('' where there is no room), last number for the role, complete (1/0), entries...
local call, role, since_epoch, from = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local epoch = redis.call('HGET', key('room', call), 'e')
if not epoch then return { '', 0, 0 } end
if epoch ~= since_epoch then from = 0 end
local last, complete, tail = read_tail(call, role, from)
local reply = { epoch, last, (complete and epoch == since_epoch) and 1 or 0 }
for _, entry in ipairs(tail) do table.insert(reply, entry) end
return reply
