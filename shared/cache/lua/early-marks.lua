-- Functions about early marks: marks that were clamped because their message is not recorded yet. The call that records
-- the message takes them out and applies them. The early hash holds for each user
-- `<end in ms>|<position>|<generation>|<revision>|<kind>;` and so on. The key expires with its last mark.
-- Invariant: a mark is kept for a minute at most; marks of a member and members are bounded.

local EARLY_MS = 60000

-- The most early marks of one member, and the most members with early marks.
local MOST_EARLY, MOST_WAITING = 4, 1000

-- The marks in one member's text that have not ended.
local function waiting_in(text, now)
  local waiting = {}
  for mark in string.gmatch(text or '', '[^;]+') do
    local mark_end = string.match(mark, '^%d+')
    if mark_end and tonumber(mark_end) > now then waiting[#waiting + 1] = mark end
  end
  return waiting
end

local function keep_early(early, user, waiting)
  if #waiting == 0 then
    redis.call('HDEL', early, user)
  else
    redis.call('HSET', early, user, table.concat(waiting, ';'))
  end
end

local function add_early(early, user, now, ...)
  local mark = table.concat({ ... }, '|')
  local waiting, kept = waiting_in(redis.call('HGET', early, user), now), {}
  if #waiting == 0 and redis.call('HLEN', early) >= MOST_WAITING then return end
  for _, other in ipairs(waiting) do
    if string.match(other, '^%d+|(.*)$') ~= mark then kept[#kept + 1] = other end
  end
  if #kept >= MOST_EARLY then table.remove(kept, 1) end
  kept[#kept + 1] = time_text(now + EARLY_MS) .. '|' .. mark
  keep_early(early, user, kept)
  redis.call('PEXPIRE', early, EARLY_MS)
end

-- Removes and returns the marks up to a position, at most `limit`: { user, position, generation, revision, kind, ... }
local function take_early(early, newest, now, limit)
  local taken = {}
  local all = redis.call('HGETALL', early)
  for index = 1, #all, 2 do
    local user, waiting, left, found = all[index], waiting_in(all[index + 1], now), {}, false
    for _, mark in ipairs(waiting) do
      local position, generation, revision, kind = string.match(mark, '^%d+|(%w+)|(%d+)|(%d+)|(%w+)$')
      if position and position <= newest and #taken < 5 * limit then
        found = true
        for _, value in ipairs({ user, position, generation, revision, kind }) do taken[#taken + 1] = value end
      else
        left[#left + 1] = mark
      end
    end
    if found or #waiting == 0 then keep_early(early, user, left) end
  end
  return taken
end
