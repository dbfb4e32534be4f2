-- Announces the users whose reconnect grace is over. ARGV: prefix, graces at most. Reply: how many were due.
local due = redis.call('ZRANGE', P .. 'graces', '-inf', now_ms(), 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[2]))
for _, member in ipairs(due) do
  redis.call('ZREM', P .. 'graces', member)
  local call, role = string.match(member, '^(.*)|(%a)$')
  local nodes, count = read_roster(call)
  if count[role] == 0 then announce('L', call, role, nodes, count, '') end
end
return #due
