-- Functions about the online sorted set: who is connected. The score of a user is the end of the life of the newest
-- connection, in ms. A score in the past means that the user is not connected. A user who is missing is
--   not connected, if the set is complete
--   unknown, if it is not: the cache may have lost the user, and the ledger decides
-- The set is complete when it has existed for as long as a connection lives. The member `#complete` holds that time, as a
-- negative score; ids contain no `#`. It is in the same key, so Redis evicts all or nothing.
-- The ids of users expire if nobody connects for long. A set of the mark alone stays: without it the ledger is asked again.
-- Invariant: a user with an open connection never counts as not connected, unless the write that noted it got lost.

local COMPLETE = '#complete'

-- A new set gets its mark here.
local function is_complete(online, now, life)
  local score = redis.call('ZSCORE', online, COMPLETE)
  if score then return -tonumber(score) <= now end
  redis.call('ZADD', online, -(now + life), COMPLETE)
  return false
end

local function score_text(score) return time_text(tonumber(score)) end

-- `online <score>`, `offline` or `unknown`.
local function presence(online, user, now, complete)
  local score = redis.call('ZSCORE', online, user)
  if score and tonumber(score) > now then return 'online ' .. score_text(score) end
  return (score or complete) and 'offline' or 'unknown'
end

-- After users were noted: long enough for the last connection to end, and for a move after that to remove the ids.
local function expire(online, life) redis.call('PEXPIRE', online, 2 * life) end

-- Where nobody is connected any more, only the mark stays.
local function keep_mark_alone(online)
  if redis.call('ZCARD', online) == 1 then return end
  redis.call('ZREMRANGEBYSCORE', online, 0, '+inf')
  redis.call('PERSIST', online)
end
