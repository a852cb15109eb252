-- Lists the newest messages that a user sent.
-- KEYS: messages sorted set
-- ARGV: user, begin (excluded) and end (included) of the range, most
-- Reply: false if the range reaches below the messages that are here, and so the reply would lack some; else their positions,
--   the newest first
-- Invariant: changes nothing.

local messages, user, begin, last, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local floor = position_in(messages, 'floor')
if not floor then return false end
-- Below the floor a load may have left some messages, but not all.
local above = begin < floor and floor or begin

local positions = {}
for _, section in ipairs({ own_of_user(user), silent_of_user(user) }) do
  local newest, oldest = '[' .. section .. last, '(' .. section .. above
  for _, entry in ipairs(redis.call('ZREVRANGEBYLEX', messages, newest, oldest, 'LIMIT', 0, most)) do
    positions[#positions + 1] = string.match(entry, '#(%w+)$')
  end
end
if #positions < most and begin < floor then return false end
table.sort(positions, function(a, b) return a > b end)
while #positions > most do table.remove(positions) end
return positions
