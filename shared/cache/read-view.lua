-- Reads what a member sees of a group.
-- KEYS: members hash, messages sorted set
-- ARGV: user
-- Reply: see view in group-view.lua
-- Invariant: changes nothing.

return view(KEYS[1], KEYS[2], ARGV[1])
