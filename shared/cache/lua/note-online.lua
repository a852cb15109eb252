-- Notes that a user is connected.
-- KEYS: online sorted set
-- ARGV: user, end of the connection's life, now, the longest life of a connection, all in ms
-- Reply: 1
-- Invariant: the score of a user grows with each connection, so that note-offline.lua notices a connection that was opened
--   after the ledger was read.

local online, user = KEYS[1], ARGV[1]
local score, now, life = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

if is_complete(online, now, life) then redis.call('ZREMRANGEBYSCORE', online, 0, now) end
local known = redis.call('ZSCORE', online, user)
if known and tonumber(known) >= score then score = tonumber(known) + 1 end
redis.call('ZADD', online, score, user)
expire(online, life)
return 1
