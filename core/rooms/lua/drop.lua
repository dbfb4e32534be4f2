enter(table.remove(ARGV))
-- Drops what was said in calls that are over. ARGV: prefix, call …, history. The mark keeps what comes late, such as the
-- leave of a connection that ends after its call, from writing a place again.
for i = 2, #ARGV do
  local call = ARGV[i]
  if redis.call('EXISTS', key('room', call)) == 1 then redis.call('HSET', key('room', call), 'over', 1) end
  redis.call('UNLINK', key('log', call), key('sdp', call), key('ids', call), key('ids0', call), key('cursor', call))
end
return #ARGV - 1
