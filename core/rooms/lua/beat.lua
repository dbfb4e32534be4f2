enter(table.remove(ARGV))
-- A node says that it lives, and how it is. ARGV: prefix, node, what operators may read of it (JSON, '' nothing), history.
-- Reply: known before (1/0), number of publishes to its inbox so far, what an operator asks of it ('' nothing), generation
-- of the data: another one than before means that the node's server was replaced.
-- "Not known" after the first beat means that Redis was wiped or that the node was taken for dead: it registers anew.
local node = ARGV[2]
local known = redis.call('ZSCORE', P .. 'nodes', node) and 1 or 0
redis.call('ZADD', P .. 'nodes', now_ms(), node)
if ARGV[3] ~= '' then redis.call('SET', key('about', node), ARGV[3], 'PX', ROOM_TTL_MS) end
-- Anything may be there: a node must not stop beating because somebody wrote to this key.
local asked = redis.pcall('GET', key('drain', node))
local wish = type(asked) == 'string' and asked or ''
return { known, tonumber(redis.call('HGET', P .. 'inboxes', node) or '0'), wish, generation }
