-- Counts the unread messages in several groups, given how far a user has read in each. A group that is read up to its
-- head costs no command of its own.
-- KEYS: the heads of all groups, then the messages sorted sets of all groups
-- ARGV: user, then the position read up to in each group
-- Reply: for each group { head, floor, messages of others above the position and up to the head, messages kept }. Head and
--   floor are false if unknown; without a floor both counts are 0. A group that is read up to its head, or whose head is
--   unknown, has no floor.
-- Invariant: changes nothing.

local user, groups = ARGV[1], #KEYS / 2
local heads = redis.call('MGET', unpack(KEYS, 1, groups))
local replies = {}
for group = 1, groups do
  local head, messages, read = heads[group], KEYS[groups + group], ARGV[group + 1]
  if head and not is_position(head) then head = false end
  local floor = head and head > read and position_in(messages, 'floor')
  replies[group] = floor and { head, floor, unread_between(messages, user, read, head), kept(messages) }
    or { head, false, 0, 0 }
end
return replies
