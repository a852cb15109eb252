-- A sorted set with all scores 0, in sections by first character, so that it is evicted whole. `!name|value` is state
-- of the whole set. Ids contain neither `#` nor `}`: where an id stands in front, `#` ends it, and `$` is just above `#`.
-- A name or a position of fixed width is ended by `|`, and `}` is above it. Positions are in base 36 and begin with
-- a digit up to `3`: `4` is above all of them.

local function state(set, name)
  local range = redis.call('ZRANGEBYLEX', set, '[!' .. name .. '|', '(!' .. name .. '}', 'LIMIT', 0, 1)
  return range[1] and string.sub(range[1], #name + 3)
end

local function clear_state(set, name)
  redis.call('ZREMRANGEBYLEX', set, '[!' .. name .. '|', '(!' .. name .. '}')
end

local function set_state(set, name, value)
  clear_state(set, name)
  redis.call('ZADD', set, 0, '!' .. name .. '|' .. value)
end

-- A time in ms as text. Not with `%d`: where Lua is built for 32 bits, that ends at 2147483647.
local function time_text(ms) return string.format('%.0f', ms) end
