-- The one place of order: numbers each message of a flush, appends it to its call's log, and hands it to the nodes
-- that the roster names, in one step. ARGV: prefix, node, then per message: call, sender's role (a capital
-- where the message may have been numbered before), sender's connection, dedupe id without '|', body; last, history.
-- Reply: per message four words: flags (1 local recipients, 2 seen before, 4 sender unknown to the roster, 8 recipients
-- on other nodes), the epoch, the number, and the number before it for the same recipient.
--
-- Ids are looked up only where a message can be a repetition: while all messages of a role came over one connection,
-- that connection's node knows its ids. From the first message that may be one, the call's ids are indexed.
enter(table.remove(ARGV))
local node = ARGV[2]
local reply, outgoing = {}, {}
local now = now_ms()
-- How long a refresh of the expiries is good for; the log lives 110 to 120 s after the call's last message.
local REFRESH_MS = 10000
-- Messages dropped at once, so that a call at its bound does not pay for each.
local DROP = 32
local LAST = { a = 'la', b = 'lb' }
local FLAGS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15' }
local FIELDS = {
  a = { 'e', 'n', 'lb', 'nb', 'na', 'bytes', 'ca', 'ix', 'x', 'g' },
  b = { 'e', 'n', 'la', 'na', 'nb', 'bytes', 'cb', 'ix', 'x', 'g' },
}

local function names(list, wanted)
  return list and (list == wanted or string.find(',' .. list .. ',', ',' .. wanted .. ',', 1, true) ~= nil)
end

-- Writes the ids of entries where they can be looked up.
local function index_ids(call, entries)
  local fields = {}
  for _, entry in ipairs(entries) do
    local number, id = string.match(entry, '^%a|(%d+)|%d+|([^|]*)|')
    table.insert(fields, id)
    table.insert(fields, number)
  end
  if #fields > 0 then redis.call('HSET', key('ids', call), unpack(fields)) end
end

local function find_id(call, id) return redis.call('HGET', key('ids', call), id) or redis.call('HGET', key('ids0', call), id) end

-- Keeps the last offer and the last answer of those that are dropped, one of each for a recipient.
local function keep_descriptions(call, dropped)
  local fields = {}
  for _, entry in ipairs(dropped) do
    local tag = tag_of(entry)
    if tag == 'o' or tag == 'a' then
      table.insert(fields, string.sub(entry, 1, 1) .. tag)
      table.insert(fields, entry)
    end
  end
  if #fields == 0 then return end
  redis.call('HSET', key('sdp', call), unpack(fields))
  redis.call('PEXPIRE', key('sdp', call), LOG_TTL_MS)
end

-- Drops the oldest entries beyond the log's bounds and remembers their ids and, per recipient, what is forgotten.
local function trim(call, room, length, bytes)
  local log = key('log', call)
  local dropped = length > LOG_MAX_ENTRIES and redis.call('LPOP', log, length - LOG_MAX_ENTRIES + DROP) or {}
  for _, entry in ipairs(dropped) do bytes = bytes - #entry end
  while bytes > LOG_MAX_BYTES do
    local entry = redis.call('LPOP', log)
    bytes = bytes - #entry
    table.insert(dropped, entry)
  end
  local forgotten = {}
  for _, entry in ipairs(dropped) do
    local to, number = string.match(entry, '^(%a)|(%d+)|')
    forgotten[to] = number
  end
  for to, number in pairs(forgotten) do redis.call('HSET', room, 't' .. to, number) end
  index_ids(call, dropped)
  keep_descriptions(call, dropped)
  return bytes
end

for i = 3, #ARGV, 5 do
  local call, from, sender, id, body = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local may_be_seen = from == 'A' or from == 'B'
  if may_be_seen then from = string.lower(from) end
  local to = from == 'a' and 'b' or 'a'
  local room = key('room', call)
  local state = redis.call('HMGET', room, unpack(FIELDS[from]))
  if state[10] ~= generation then
    enter_room(call)
    state = redis.call('HMGET', room, unpack(FIELDS[from]))
  end
  local epoch, number, previous, bytes = state[1], tonumber(state[2]), state[3], tonumber(state[6])
  local flags = names(state[5], node) and 0 or 4
  local only, is_indexed = state[7], state[8] ~= ''

  id = from .. id
  local changes = {}
  if only ~= sender and only ~= '*' then
    -- Another connection's ids are unknown to this one's node, now and later.
    only = only == '' and sender or '*'
    changes = { 'c' .. from, only }
  end
  local seen
  if may_be_seen or only == '*' then
    if not is_indexed then
      index_ids(call, redis.call('LRANGE', key('log', call), 0, -1))
      redis.call('HSET', room, 'ix', 1)
      is_indexed = true
    end
    seen = find_id(call, id)
  end
  if seen then
    flags, number = flags + 2, seen
    if #changes > 0 then redis.call('HSET', room, unpack(changes)) end
  else
    number = number + 1
    -- Written out once: Lua's own conversion of a number costs as much as a small command.
    local digits = string.format('%d', number)
    local entry = to .. '|' .. digits .. '|' .. previous .. '|' .. id .. '|' .. body
    local length = redis.call('RPUSH', key('log', call), entry)
    if length == 1 and number > 1 then
      -- The log expired in silence: what it held is forgotten, and a resuming client must learn that.
      local last = redis.call('HMGET', room, 'la', 'lb')
      redis.call('HSET', room, 'ta', last[1], 'tb', last[2])
      redis.call('DEL', key('sdp', call))
      bytes = 0
    end
    if number % ID_GENERATION == 0 and redis.call('EXISTS', key('ids', call)) == 1 then
      redis.call('RENAME', key('ids', call), key('ids0', call))
    end
    if is_indexed then redis.call('HSET', key('ids', call), id, digits) end
    bytes = bytes + #entry
    if length > LOG_MAX_ENTRIES or bytes > LOG_MAX_BYTES then bytes = trim(call, room, length, bytes) end
    -- The nodes keep the rooms of their peers; the relay keeps those that nobody is in.
    if length == 1 or now - tonumber(state[9] or 0) > REFRESH_MS then
      redis.call('PEXPIRE', key('log', call), LOG_TTL_MS)
      redis.call('PEXPIRE', key('sdp', call), LOG_TTL_MS)
      keep_room(call)
      table.insert(changes, 'x')
      table.insert(changes, string.format('%.0f', now))
    end
    redis.call('HSET', room, 'n', digits, LAST[to], digits, 'bytes', string.format('%d', bytes), unpack(changes))

    local recipients = state[4]
    if recipients == node then
      flags = flags + 1
    elseif recipients and recipients ~= '' then
      local is_remote = false
      for target in string.gmatch(recipients, '[^,]+') do
        if target == node then
          flags = flags + 1
        else
          is_remote = true
          outgoing[target] = outgoing[target] or {}
          table.insert(outgoing[target], item('M', call, to, epoch, digits, previous, body))
        end
      end
      if is_remote then flags = flags + 8 end
    end
    number = digits
  end
  table.insert(reply, FLAGS[flags])
  table.insert(reply, epoch)
  table.insert(reply, number)
  table.insert(reply, previous)
end

for target, items in pairs(outgoing) do send_inbox(target, items) end
return table.concat(reply, ' ')
