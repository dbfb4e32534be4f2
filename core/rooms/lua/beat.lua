enter(table.remove(ARGV))
-- A node says that it lives. ARGV: prefix, node, history. Reply: known before (1/0), number of publishes to its inbox so
-- far, generation of the data: another one than before means that the node's server was replaced.
-- "Not known" after the first beat means that Redis was wiped or that the node was taken for dead: it registers anew.
local node = ARGV[2]
local known = redis.call('ZSCORE', P .. 'nodes', node) and 1 or 0
redis.call('ZADD', P .. 'nodes', now_ms(), node)
return { known, tonumber(redis.call('HGET', P .. 'inboxes', node) or '0'), generation }
