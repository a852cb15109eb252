-- Lists the newest messages that a user sent.
-- KEYS: messages sorted set
-- ARGV: user, begin (excluded) and end (included) of the range, most
-- Reply: false if the range reaches below the messages that are here, and so the reply would lack some; else their positions,
--   the newest first
-- Invariant: changes nothing.

local messages, user = KEYS[1], ARGV[1]
local newest, oldest = '[' .. own_entry(user, ARGV[3]), '(' .. own_entry(user, ARGV[2])
local entries = redis.call('ZREVRANGEBYLEX', messages, newest, oldest, 'LIMIT', 0, tonumber(ARGV[4]))
local floor = position_in(messages, 'floor')
if #entries < tonumber(ARGV[4]) and (not floor or ARGV[2] < floor) then return false end
local positions = {}
for index, entry in ipairs(entries) do positions[index] = string.match(entry, '#(%w+)$') end
return positions
