-- True while any connection of the user lives on a node that beats. ARGV: prefix, user, lease in ms.
local now = now_ms()
for _, value in ipairs(redis.call('HVALS', key('conns', ARGV[2]))) do
  local beat = redis.call('ZSCORE', P .. 'nodes', string.match(value, '^%a+|([^|]*)|'))
  if beat and tonumber(beat) >= now - tonumber(ARGV[3]) then return 1 end
end
return 0
