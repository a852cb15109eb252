-- Notes that users have no connection in the ledger.
-- KEYS: online sorted set
-- ARGV: now, the longest life of a connection, then for each user { user, the score read before the ledger, or '' }
-- Reply: 1
-- Invariant: a user who has connected since then stays.

local online, now, life = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local complete = is_complete(online, now, life)
for index = 3, #ARGV, 2 do
  local user, seen = ARGV[index], ARGV[index + 1]
  local score = redis.call('ZSCORE', online, user)
  if (score and score_text(score) or '') == seen then
    if complete then redis.call('ZREM', online, user) else redis.call('ZADD', online, 1, user) end
  end
end
expire(online, life)
return 1
