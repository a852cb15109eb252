-- Functions about the online sorted set: who is connected. The score of a user is the end of the life of the newest
-- connection, in ms. A score in the past means that the user is not connected. A user who is missing is
--   not connected, if the set is complete
--   unknown, if it is not: the cache may have lost the user, and the ledger decides
-- The set is complete when it has existed for as long as a connection lives. The member `#complete` holds that time, as a
-- negative score; ids contain no `#`. It is in the same key, so Redis evicts all or nothing.
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
