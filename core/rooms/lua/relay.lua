-- The one place of order: numbers each message of a flush, appends it to its call's log, and hands it to the nodes
-- that the roster names, in one step. ARGV: prefix, node, then per message: call, sender's role, dedupe id, body.
-- Reply, per message, four values: flags (1 local recipients, 2 seen before, 4 sender unknown to the roster),
-- the epoch, the number, and the number before it for the same recipient.
local node = ARGV[2]
local reply, outgoing, touched = {}, {}, {}
local FIELDS = { 'e', 'n', 'la', 'lb', 'na', 'nb', 'bytes' }

local function names(list, wanted)
  return list and (list == wanted or string.find(',' .. list .. ',', ',' .. wanted .. ',', 1, true) ~= nil)
end

-- Drops the oldest entries beyond the log's bounds and remembers, per recipient, what is forgotten.
local function trim(call, room, length, bytes)
  while length > LOG_MAX_ENTRIES or bytes > LOG_MAX_BYTES do
    local oldest = redis.call('LPOP', key('log', call))
    local to, number = string.match(oldest, '^(%a)|(%d+)|')
    redis.call('HSET', room, 't' .. to, number)
    bytes, length = bytes - #oldest, length - 1
  end
  return bytes
end

for i = 3, #ARGV, 4 do
  local call, from, id, body = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local to = from == 'a' and 'b' or 'a'
  local room, ids = key('room', call), key('ids', call)
  local state = redis.call('HMGET', room, unpack(FIELDS))
  if not state[1] then
    open_room(call)
    state = redis.call('HMGET', room, unpack(FIELDS))
  end
  local epoch, number, bytes = state[1], tonumber(state[2]), tonumber(state[7])
  local previous = tonumber(to == 'a' and state[3] or state[4])
  local recipients, senders = to == 'a' and state[5] or state[6], to == 'a' and state[6] or state[5]
  local flags = names(senders, node) and 0 or 4

  id = from .. id
  local seen = redis.call('HGET', ids, id) or (number >= 512 and redis.call('HGET', key('ids0', call), id))
  if seen then
    flags, number = flags + 2, tonumber(seen)
  else
    number = number + 1
    local entry = to .. '|' .. number .. '|' .. previous .. '|' .. body
    local length = redis.call('RPUSH', key('log', call), entry)
    if length == 1 and number > 1 then
      -- The log expired in silence: what it held is forgotten, and a resuming client must learn that.
      redis.call('HSET', room, 'ta', state[3], 'tb', state[4])
      bytes = 0
    end
    -- Two generations of ids: what is dropped was followed by at least 512 messages of the call.
    if number % 512 == 0 and redis.call('EXISTS', ids) == 1 then redis.call('RENAME', ids, key('ids0', call)) end
    redis.call('HSET', ids, id, number)
    bytes = bytes + #entry
    if length > LOG_MAX_ENTRIES or bytes > LOG_MAX_BYTES then bytes = trim(call, room, length, bytes) end
    redis.call('HSET', room, 'n', number, 'l' .. to, number, 'bytes', bytes)
    -- The nodes keep the rooms of their peers; the relay keeps those that nobody is in.
    touched[call] = touched[call] or length == 1 or number % 16 == 0

    for target in string.gmatch(recipients or '', '[^,]+') do
      if target == node then
        flags = flags + 1
      else
        outgoing[target] = outgoing[target] or {}
        table.insert(outgoing[target], item('M', call, to, epoch, number, previous, body))
      end
    end
  end
  table.insert(reply, flags)
  table.insert(reply, epoch)
  table.insert(reply, number)
  table.insert(reply, previous)
end

for call, keep in pairs(touched) do
  redis.call('PEXPIRE', key('log', call), LOG_TTL_MS)
  if keep then keep_room(call) end
end
for target, items in pairs(outgoing) do send_inbox(target, items) end
return reply
