-- Finds who is connected among those whom a move of a member concerns: the member, and the senders of the newest messages in
-- the range that it moved over.
-- KEYS: online sorted set, messages sorted set and members hash of the group
-- ARGV: member, now, the longest life of a connection, begin (excluded) and end (included) of the range or '' and '', most
--   messages
-- Reply: false if nobody at all is connected; else { membership text, floor, messages found, presence of the member, sender,
--   presence, sender, presence, ... }. Text and floor are false if unknown. Presence: see online.lua.
-- Invariant: changes nothing but the mark of the set's age, and the ids of users who are not connected.

local online, messages, members = KEYS[1], KEYS[2], KEYS[3]
local user, now, life = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local from, to, most = ARGV[4], ARGV[5], tonumber(ARGV[6])

local complete = is_complete(online, now, life)
if complete and redis.call('ZCOUNT', online, '(' .. ARGV[2], '+inf') == 0 then
  keep_mark_alone(online)
  return false
end

local text = redis.call('HGET', members, user)
local reply = { text and plain(text), position_in(messages, 'floor'), 0, presence(online, user, now, complete) }
if to == '' then return reply end

local entries = redis.call('ZREVRANGEBYLEX', messages, '(' .. to .. '}', '(' .. from .. '}', 'LIMIT', 0, most)
reply[3] = #entries
local seen = { [user] = true }
for _, entry in ipairs(entries) do
  local sender = string.match(entry, '^%w+|(.+)$')
  if sender and not seen[sender] then
    seen[sender] = true
    reply[#reply + 1] = sender
    reply[#reply + 1] = presence(online, sender, now, complete)
  end
end
return reply
