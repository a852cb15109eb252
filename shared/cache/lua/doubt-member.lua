-- Tells what a member sees of a group. Where the member is here, its own view is from then on in doubt (see doubts.lua),
-- until the doubt is settled or its time is over. For anybody else nothing is left here.
-- KEYS: members hash, messages sorted set, head, doubts hash
-- ARGV: user, now and end of the doubt in ms since the epoch, token that settles it
-- Reply: { the view (see group-view.lua), 1 where the own view is in doubt now or else 0 }
-- Invariant: changes no register.

local members, messages, head, doubts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local user, now, doubt_end, token = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local seen = view(members, messages, head, doubts, user, now)
local is_noted = add_doubt(members, doubts, user, redis.call('HGET', members, user), now, doubt_end, token)
return { seen, is_noted and 1 or 0 }
