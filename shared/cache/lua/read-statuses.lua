-- Finds out which messages a member has read or sent.
-- KEYS: members hash, messages sorted set, doubts hash
-- ARGV: user, now in ms since the epoch, then positions
-- Reply: { false } if the member is unknown; else { membership text, then for each position 'below' (at or below the
--   own view), 'own', 'other', or 'unknown' (only the ledger knows) }
-- Invariant: changes nothing.

local members, messages, doubts, user, now = KEYS[1], KEYS[2], KEYS[3], ARGV[1], tonumber(ARGV[2])
local text, parts = trusted(redis.call('HGET', members, user), doubts, user, now)
if not parts or is_departed(parts) then return { false } end

local reply = { text }
local _, read = own_of(parts[SELF])
local floor
for index = 3, #ARGV do
  local position = ARGV[index]
  if position <= read then
    reply[index - 1] = 'below'
  else
    if floor == nil then floor = position_in(messages, 'floor') end
    if not floor or position <= floor or redis.call('ZSCORE', messages, '~' .. position) then
      -- The sender of a deleted message is not kept here.
      reply[index - 1] = 'unknown'
    else
      reply[index - 1] = is_sent_by(messages, position, user) and 'own' or 'other'
    end
  end
end
return reply
