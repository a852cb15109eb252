-- Functions about doubts. A doubt means that a member's own view is about to go back, so that the copy here may be old
-- (timeline: operations/mark-unread.ts).
--
--   doubt    the member's text gets a `?` at its end, and a token is stored
--   settle   the token is deleted, and with the last token the `?`
--
-- The doubts hash holds for each user `<end in ms>|<token>;` and so on. The key expires with its last doubt.
-- Invariant: a text with a `?` is never returned as the own view while a doubt of it lives. If its tokens are lost or
-- unreadable, the `?` stays until the member is merged from the ledger again.

-- Longer than the write of the ledger between a doubt and its settling can take.
local DOUBT_MS = 30000

-- The most doubts of one member. One more turns the two oldest into one that only time ends.
local MOST_DOUBTS = 4

-- Returns the doubts of a member that have not ended, in order of time, without the `settled` one; and whether the
-- entry is complete: it is there, and all of it is readable.
local function live_doubts(doubts, user, now, settled)
  local text = redis.call('HGET', doubts, user) or ''
  local live = {}
  for doubt_end, token in string.gmatch(text, '(%d+)|([^;]*);') do
    if tonumber(doubt_end) > now and token ~= settled then live[#live + 1] = doubt_end .. '|' .. token .. ';' end
  end
  return live, text ~= '' and string.gsub(text, '%d+|[^;]*;', '') == ''
end

-- Returns a member's text and its parts if its own view may be used; false if it is unreadable or in doubt. Only a text
-- with a `?` costs a read of the doubts.
local function trusted(text, doubts, user, now)
  local parts = text and decode(text)
  if not parts then return false end
  if is_in_doubt(text) then
    local live, is_whole = live_doubts(doubts, user, now)
    if #live > 0 or not is_whole then return false end
  end
  return plain(text), parts
end

local function keep_doubts(doubts, user, live)
  if #live == 0 then
    redis.call('HDEL', doubts, user)
  else
    redis.call('HSET', doubts, user, table.concat(live))
  end
end

-- Stores a doubt, once for each token, if the member is here. Returns whether it is.
local function add_doubt(members, doubts, user, text, now, token)
  local parts = text and decode(text)
  if not parts or is_departed(parts) then return false end
  local live = live_doubts(doubts, user, now, token)
  if #live >= MOST_DOUBTS then
    table.remove(live, 1)
    live[1] = string.match(live[1], '^%d+') .. '|;'
  end
  live[#live + 1] = time_text(now + DOUBT_MS) .. '|' .. token .. ';'
  keep_doubts(doubts, user, live)
  redis.call('PEXPIRE', doubts, DOUBT_MS)
  if not is_in_doubt(text) then redis.call('HSET', members, user, text .. '?') end
  return true
end
