-- Returns what a member sees of a group, then puts its own view in doubt (see doubts.lua) until the doubt is settled or
-- ends by time.
-- KEYS: members hash, messages sorted set, head, doubts hash
-- ARGV: user, now in ms since the epoch, most unread messages to count, token that settles the doubt
-- Reply: { the view (see group-view.lua), 1 if the doubt was stored or else 0 }
-- Invariant: no register changes. A user who is not a member here leaves nothing.

local members, messages, head, doubts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, now, token = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local seen = view(members, messages, head, doubts, user, now, tonumber(ARGV[3]))
local is_noted = add_doubt(members, doubts, user, redis.call('HGET', members, user), now, token)
return { seen, is_noted and 1 or 0 }
