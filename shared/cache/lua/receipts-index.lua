-- Functions about the receipts index. The receipts key has sections (see sections.lua), with every member of the group
-- by its public registers:
--   !index|<token>         the index is complete: every member is here and in the members hash
--   !load|<token>          a load is under way; every merged member is indexed
--   !lease|<ms>            the loader has the claim until this time
--   !after|<user>          the members up to this one, by id, are loaded
--   p<public>|<user>       a member that has received as far as it has read
--   q<public>|<user>       instead of `p`: a member that has received further than it has read,
--   d<delivered>|<user>    together with this
--   j<joined>|<user>       where the member starts; left out at the start of the group
-- Invariant: the field `#index` of the members hash holds the same token. If either key was lost, the tokens differ and
-- the index does not count.

-- The joined key is a sorted set of users who joined a moment ago, by time in ms. The ledger's list of a group's
-- members is a moment behind, so its readers read these users too.

local START = string.rep('0', POSITION_WIDTH)

-- Longer than the ledger's index is ever behind.
local RECENT_MS = 30000

-- The most of these users that are returned, the newest first: the ledger's list lacks the last ones.
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

-- Deletes an index that has an unreadable entry. The next caller loads it again.
local function drop_index(receipts)
  redis.call('UNLINK', receipts)
  return false
end

-- The lowest public watermark of the group; false in an empty group.
local function lowest_public(receipts)
  local lowest = false
  for _, section in ipairs({ 'p', 'q' }) do
    local first = redis.call('ZRANGEBYLEX', receipts, '[' .. section .. '0', '(' .. section .. '4', 'LIMIT', 0, 1)[1]
    local position = first and string.sub(first, 2, POSITION_WIDTH + 1)
    if position and not is_position(position) then return drop_index(receipts) end
    if position and (not lowest or position < lowest) then lowest = position end
  end
  return lowest
end
