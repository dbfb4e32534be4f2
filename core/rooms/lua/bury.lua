-- Takes the connections of dead nodes out of the rosters, a bounded number of calls a run. Every step is atomic and
-- can be repeated, so any worker may do it at any time. ARGV: prefix, lease in ms, grace in ms, calls at most.
-- Reply: nodes still dead (run again), then the calls without any connected peer, each with
-- the version of that.
local lease_ms, grace_ms, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local dead = redis.call('ZRANGE', P .. 'nodes', '-inf', now - lease_ms, 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
if #dead == 0 then return { 0 } end
local node, beat = dead[1], tonumber(dead[2])
local calls = redis.call('SPOP', key('calls', node), most)
if #calls < most then
  redis.call('ZREM', P .. 'nodes', node)
  redis.call('HDEL', P .. 'inboxes', node)
end
local reply = { 1 }
for _, call in ipairs(calls) do
  local _, before, flat = read_roster(call)
  for i = 1, #flat, 2 do
    if string.sub(flat[i + 1], 3) == node then redis.call('HDEL', key('roster', call), flat[i]) end
  end
  if redis.call('EXISTS', key('room', call)) == 1 then
    local _, count = index_roster(call)
    for _, role in ipairs({ 'a', 'b' }) do
      -- The peers were lost with the last beat; the grace runs from there.
      if before[role] > 0 and count[role] == 0 then lose_role(call, role, math.max(now, beat + grace_ms)) end
    end
    if count.a + count.b == 0 then
      table.insert(reply, call)
      table.insert(reply, before.a + before.b > 0 and occupancy_changed(call) or occupancy(call))
    end
  end
end
return reply
