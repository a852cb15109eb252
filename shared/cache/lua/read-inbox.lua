-- Reads what is unread in several groups, where it is known how far a user has read in each. A group whose head is
-- no further costs no command of its own.
-- KEYS: the heads of all groups, then the messages sorted sets of all groups
-- ARGV: user, then the position read up to in each group
-- Reply: for each group { head, floor, messages of others above the position, messages kept }, false where it is not
-- known; floor and counts are told where the head is past the position, or not known
-- Invariant: changes nothing.

local user, groups = ARGV[1], #KEYS / 2
local heads = redis.call('MGET', unpack(KEYS, 1, groups))
local replies = {}
for group = 1, groups do
  local head, messages, read = heads[group], KEYS[groups + group], ARGV[group + 1]
  if head and not is_position(head) then head = false end
  local floor = (not head or head > read) and position_in(messages, 'floor')
  replies[group] = floor and { head, floor, unread_above(messages, user, read), kept(messages) }
    or { head, false, 0, 0 }
end
return replies
