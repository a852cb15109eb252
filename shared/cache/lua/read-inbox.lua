-- Counts the unread messages in several groups, given how far a user has read in each. A group that is read up to its
-- head costs no command of its own.
-- KEYS: the heads of all groups, then the messages sorted sets of all groups
-- ARGV: user, then the position read up to in each group
-- Reply: for each group { head text, floor, messages of others above the position, messages kept }. Text and floor are
--   false if unknown; without a floor both counts are 0. A group that is read up to its head has no floor.
-- Invariant: changes nothing.

local user, groups = ARGV[1], #KEYS / 2
local heads = redis.call('MGET', unpack(KEYS, 1, groups))
local replies = {}
for group = 1, groups do
  local text, messages, read = heads[group], KEYS[groups + group], ARGV[group + 1]
  local parts = text and decode_head(text)
  if not parts then text = false end
  local floor = (not parts or parts[NEWEST] > read) and position_in(messages, 'floor')
  replies[group] = floor and { text, floor, unread_above(messages, user, read), kept(messages) }
    or { text, false, 0, 0 }
end
return replies
