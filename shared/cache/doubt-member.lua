-- Tells what a member sees of a group, and from then on takes the member's own view as in doubt until the ledger has
-- told it again: it is about to go back, and whoever did not hear of that would take a later mark as done already.
-- KEYS: members hash, messages sorted set, head
-- ARGV: user
-- Reply: see view in group-view.lua
-- Invariant: changes no register.

local members, messages, head, user = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local seen = view(members, messages, head, user)
local text = redis.call('HGET', members, user)
if text and not is_doubted(text) then redis.call('HSET', members, user, '?' .. text) end
return seen
