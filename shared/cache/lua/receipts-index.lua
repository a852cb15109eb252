-- The receipts key, in sections (see sections.lua): every member of the group by what others may see of it.
--   !index|<token>         every member is here, and in the members hash
--   !load|<token>          a load under way; members that are merged beside it are collected
--   !lease|<ms>            until when whoever loads is believed to be at work
--   !after|<user>          the members up to this one, by id, are loaded
--   p<public>|<user>       delivered as far as it has read
--   q<public>|<user>       delivered further than it has read: stands in place of `p`,
--   d<delivered>|<user>    together with this
--   j<joined>|<user>       joined after a message; left out for who was there from the start
-- The field `#index` of the members hash holds the same token: where either key was lost, they do not agree.

-- The joined key is a sorted set of who joined of late, by time in ms. The ledger lists a group's members by an index
-- of its own that is a moment behind: whoever reads that list hears of these from here.

local START = string.rep('0', POSITION_WIDTH)

-- Longer than that index is ever seen to be behind.
local RECENT_MS = 30000

-- So many of them are looked at, the newest first: when very many join at once, the list lacks the last ones.
local MOST_RECENT = 1000

local function entries_of(user, parts)
  local shown, delivered = position_of(parts[PUBLIC]), position_of(parts[DELIVERED])
  local entries = {}
  if delivered > shown then
    entries = { 'q' .. shown .. '|' .. user, 'd' .. delivered .. '|' .. user }
  else
    entries = { 'p' .. shown .. '|' .. user }
  end
  if parts[JOINED] ~= START then entries[#entries + 1] = 'j' .. parts[JOINED] .. '|' .. user end
  return entries
end

local function recently_joined(joined, now)
  return redis.call('ZREVRANGEBYSCORE', joined, '+inf', now - RECENT_MS, 'LIMIT', 0, MOST_RECENT)
end

local function is_indexed(members, receipts)
  local token = state(receipts, 'index')
  return token and token == redis.call('HGET', members, '#index')
end

-- An index in which something cannot be read goes, and is loaded anew by who asks next.
local function distrust(receipts)
  redis.call('UNLINK', receipts)
  return false
end

-- The position that every member's public watermark has reached; false in an empty group.
local function lowest_public(receipts)
  local lowest = false
  for _, section in ipairs({ 'p', 'q' }) do
    local first = redis.call('ZRANGEBYLEX', receipts, '[' .. section .. '0', '(' .. section .. '4', 'LIMIT', 0, 1)[1]
    local position = first and string.sub(first, 2, POSITION_WIDTH + 1)
    if position and not is_position(position) then return distrust(receipts) end
    if position and (not lowest or position < lowest) then lowest = position end
  end
  return lowest
end
