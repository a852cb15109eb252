-- Forgets the range of a frame that has left, unless more has become due since.
-- KEYS: due hash
-- ARGV: begin and end of the range, as take-frame.lua replied them
-- Reply: 1
-- Invariant: no range is forgotten that did not leave.

local due = KEYS[1]
local due_until, from, to = unpack(redis.call('HMGET', due, 'until', 'from', 'to'))
if not due_until and from == ARGV[1] and to == ARGV[2] then redis.call('UNLINK', due) end
return 1
