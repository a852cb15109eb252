-- Takes a frame that is due, before its state is read: what changes later makes a frame of its own. Closes the gate, since the
-- frame leaves now.
-- KEYS: gate, due hash
-- ARGV: how long the gate stays closed, in ms
-- Reply: { begin, end of the range of messages }, false and false if unknown
-- Invariant: the range stays until settle-frame.lua, so that a frame that fails is tried again with all of it.

local gate, due = KEYS[1], KEYS[2]
redis.call('SET', gate, '1', 'PX', ARGV[1])
redis.call('HDEL', due, 'until')
return redis.call('HMGET', due, 'from', 'to')
