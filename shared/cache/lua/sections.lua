-- Functions about a sorted set with sections, one for each first character. All scores are 0, so its order is that of
-- the text. It is one key, so Redis evicts all sections or none. `!name|value` is state of the set. Ids contain neither
-- `#` nor `}`: an id in front ends with `#`, a name or position with `|`, and `}` is above `|`. Positions are in base
-- 36 and begin with a digit up to `3`, so `4` is above all of them.
-- Invariant: each name that `set_state` writes has one value at most.

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

-- A time in ms as text. Not with `%d`, which ends at 2147483647 if Lua is built for 32 bits.
local function time_text(ms) return string.format('%.0f', ms) end
