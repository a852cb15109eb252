-- Counts the unread messages in several groups, given how far a user has read in each. A group that is read up to its
-- head costs no command of its own.
-- KEYS: the heads of all groups, then the messages sorted sets of all groups
-- ARGV: user, most unread messages to count in a group, then the position read up to in each group
-- Reply: for each group { head text, floor, unread messages, mentions in them, the first of them, messages kept }. Text, floor
--   and first are false if unknown; without a floor all counts are 0. A group that is read up to its head, or whose head is
--   unknown, has no floor. For the unread ones see group-view.lua: they are those above the position and the floor.
-- Invariant: changes nothing.

local user, limit, groups = ARGV[1], tonumber(ARGV[2]), #KEYS / 2
local heads = redis.call('MGET', unpack(KEYS, 1, groups))
local replies = {}
for group = 1, groups do
  local text, messages, read = heads[group], KEYS[groups + group], ARGV[group + 2]
  local parts = text and decode_head(text)
  if not parts then text = false end
  local floor = parts and parts[NEWEST] > read and position_in(messages, 'floor') or false
  local count, mentions, first = 0, 0, false
  if floor then count, mentions, first = unread_above_floor(messages, user, read, floor, parts[NEWEST], limit) end
  replies[group] = { text, floor, count, mentions, first, floor and read < floor and kept(messages) or 0 }
end
return replies
