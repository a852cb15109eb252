-- A doubt says that a member's own view is about to go back: the ledger may soon hold a later revision than the copy
-- here, and an old copy would be taken for one that is past a later mark already.
--
--   mark-unread       cache                                     ledger
--   doubt        ──▶  member's text gets `?`, token is noted
--   write        ─────────────────────────────────────────────▶ next revision
--   merge, settle ─▶  token goes; with the last one, the `?`
--
-- While the text has its `?`, its own view is not told, and everyone asks the ledger. The tokens stand in the doubts
-- hash, for each user as `<end in ms>|<token>;` and so on. That key lives no longer than its last doubt. Where a `?` has
-- no tokens, or none that can be read, it stays until the member is merged as the ledger holds it by then.

-- The most doubts of one member. Where there would be more, the two oldest become one that only time can end.
local MOST_DOUBTS = 4

-- The doubts of a member that are not over yet, in order of time, without the one that is settled; and whether that is
-- all that was known of them: nothing was lost, and all could be read.
local function live_doubts(doubts, user, now, settled)
  local text = redis.call('HGET', doubts, user) or ''
  local live = {}
  for doubt_end, token in string.gmatch(text, '(%d+)|([^;]*);') do
    if tonumber(doubt_end) > now and token ~= settled then live[#live + 1] = doubt_end .. '|' .. token .. ';' end
  end
  return live, text ~= '' and string.gsub(text, '%d+|[^;]*;', '') == ''
end

-- A member's text where its own view may be told from it, and what can be read of it; false where not. What is known of
-- the doubts of a text that has a `?` is asked only then.
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

-- Notes a doubt of a member who is here, once. Returns whether the member is here.
local function add_doubt(members, doubts, user, text, now, doubt_end, token)
  local parts = text and decode(text)
  if not parts or is_departed(parts) then return false end
  local live = live_doubts(doubts, user, now, token)
  if #live >= MOST_DOUBTS then
    table.remove(live, 1)
    live[1] = string.match(live[1], '^%d+') .. '|;'
  end
  live[#live + 1] = doubt_end .. '|' .. token .. ';'
  keep_doubts(doubts, user, live)
  redis.call('PEXPIRE', doubts, tonumber(doubt_end) - now)
  if not is_in_doubt(text) then redis.call('HSET', members, user, text .. '?') end
  return true
end
