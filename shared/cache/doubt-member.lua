-- Tells what a member sees of a group, and from then on takes the member's own view as in doubt, until whoever doubts
-- settles it or the time is over: it is about to go back, and whoever did not hear of that would take a later mark as
-- done already.
-- KEYS: members hash, messages sorted set, head
-- ARGV: user, now and end of the doubt in ms since the epoch, token that settles it, time to live in ms
-- Reply: see view in group-view.lua
-- Invariant: changes no register.

local members, messages, head = KEYS[1], KEYS[2], KEYS[3]
local user, now, doubt_end, token, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local seen = view(members, messages, head, user, now)
local doubts = doubts_left(redis.call('HGET', members, '?' .. user), now)
redis.call('HSET', members, '?' .. user, doubts .. doubt_end .. '|' .. token .. ';')
redis.call('PEXPIRE', members, ttl)
return seen
