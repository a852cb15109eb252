-- Counts how many members have read and received messages of a group.
-- KEYS: members hash, messages sorted set, receipts sorted set, head
-- ARGV: caller, time to live of receipts in ms, then for each message its position and sender ('' to look it up here)
-- Reply: { caller's membership text, head text, 1 if every member is indexed or else 0, floor, messages kept, counts }.
--   Texts and floor are false if unknown. Counts has for each message { sender, audience, read, delivered }, or false if the
--   message is not here; it is empty without an index.
-- Invariant: no register changes. Only a member's call renews the expiry of the receipts. An index or a window with an
--   unreadable entry is deleted.

local members, messages, receipts, head = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local caller, ttl = ARGV[1], ARGV[2]

local caller_text = redis.call('HGET', members, caller)
local caller_parts = caller_text and decode(caller_text)
caller_text = caller_parts and plain(caller_text) or false
local head_text = head_in(head)
local floor = position_in(messages, 'floor')
if not is_indexed(members, receipts) then return { caller_text, head_text, 0, floor, 0, {} } end
-- A caller who is not a member must not keep the receipts alive.
if caller_parts and not is_departed(caller_parts) then redis.call('PEXPIRE', receipts, ttl) end

-- The rank at which each section ends, found once: every count needs it.
local ends = {}
for _, section in ipairs({ 'd', 'j', 'p', 'q' }) do
  ends[section] = redis.call('ZLEXCOUNT', receipts, '-', '(' .. section .. '4')
end

-- The number of members of a section at or above a position.
local function from(section, position)
  return ends[section] - redis.call('ZLEXCOUNT', receipts, '-', '(' .. section .. position)
end

local ahead = from('q', START)
local everyone, is_delivery_ahead = from('p', START) + ahead, ahead > 0

-- Whether every entry read so far was readable.
local is_index_sound, is_window_sound = true, true

local senders = {}

-- The parts of a sender's membership; false if it is not a counted member.
local function member(sender)
  if senders[sender] == nil then
    local text = redis.call('HGET', members, sender)
    local parts = text and decode(text)
    if text and not parts then is_index_sound = false end
    local is_member = parts and not is_departed(parts)
    senders[sender] = is_member and redis.call('ZSCORE', receipts, entries_of(sender, parts)[1]) and parts
  end
  return senders[sender]
end

local function sender_in_window(position)
  local entry = message_at(messages, position)
  local sender = entry and string.sub(entry, #position + 2)
  if not sender or is_id(sender) then return sender end
  is_window_sound = false
end

-- A member who joined after the message has a watermark past it from the start, so it is in both numbers, and the
-- difference leaves it out.
local function count(position, sender)
  local late = from('j', position)
  local at_least = from('p', position)
  local audience = everyone - late
  local read = at_least - late
  local delivered = read
  if is_delivery_ahead then
    read = read + from('q', position)
    delivered = delivered + from('d', position)
  end
  local own = member(sender)
  if own and own[JOINED] < position then
    audience = audience - 1
    if position_of(own[PUBLIC]) >= position then read = read - 1 end
    if position_of(own[DELIVERED]) >= position then delivered = delivered - 1 end
  end
  return { sender, audience, read, delivered }
end

local counts = {}
for index = 3, #ARGV, 2 do
  local position, sender = ARGV[index], ARGV[index + 1]
  if sender == '' then sender = sender_in_window(position) end
  counts[#counts + 1] = sender and count(position, sender) or false
end
if not is_window_sound then
  redis.call('UNLINK', messages)
  floor = false
end
if not is_index_sound then
  drop_index(receipts)
  return { caller_text, head_text, 0, floor, 0, {} }
end
return { caller_text, head_text, 1, floor, kept(messages), counts }
