-- Reads what a member sees of a group.
-- KEYS: members hash, messages sorted set, head, doubts hash
-- ARGV: user, now in ms since the epoch, most unread messages to count, the position that the user is about to read up to, or ''
-- Reply: see view in group-view.lua
-- Invariant: changes nothing.

return view(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4])
