-- Forgets a user who is not connected any more.
-- KEYS: online sorted set
-- ARGV: user, end of the life of the newest connection that is closed, in ms
-- Reply: 1
-- Invariant: a user who has connected since then stays.

local online, user, last = KEYS[1], ARGV[1], tonumber(ARGV[2])
local score = redis.call('ZSCORE', online, user)
if score and tonumber(score) <= last then redis.call('ZREM', online, user) end
return 1
