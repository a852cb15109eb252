-- The messages key is one sorted set with all scores 0, in sections by first character, so that it is evicted whole:
--   !floor|<position>      every message above it is here; absent while the window is not loaded
--   !head|<position>       the head
--   !load|<token>          a load under way
--   <position>|<sender>    a message
--   @<sender>|<position>   the same message, by sender
--   ~<position>            a deleted message, so that nothing late revives it
-- Ids contain neither `|` nor `}`; `}` is just above `|`, and `:` just above `9`.

local MESSAGES_END = '(:'

local function state(messages, name)
  local range = redis.call('ZRANGEBYLEX', messages, '[!' .. name .. '|', '(!' .. name .. '}', 'LIMIT', 0, 1)
  return range[1] and string.sub(range[1], #name + 3)
end

local function set_state(messages, name, value)
  redis.call('ZREMRANGEBYLEX', messages, '[!' .. name .. '|', '(!' .. name .. '}')
  redis.call('ZADD', messages, 0, '!' .. name .. '|' .. value)
end

local function kept(messages) return redis.call('ZLEXCOUNT', messages, '[0', MESSAGES_END) end

-- What a member sees: { membership text, head, floor, messages of others above its own view, messages kept },
-- each false where it is not known.
local function view(members, messages, user)
  local text = redis.call('HGET', members, user)
  local floor = state(messages, 'floor')
  local head = state(messages, 'head')
  if not text or not floor then return { text, head or false, floor or false, 0, 0 } end
  local parts = decode(text)
  if is_departed(parts) then return { text, head or false, floor, 0, 0 } end
  local _, read = own_of(parts[SELF])
  local above = redis.call('ZLEXCOUNT', messages, '(' .. read .. '}', MESSAGES_END)
  local own = redis.call('ZLEXCOUNT', messages, '(@' .. user .. '|' .. read, '(@' .. user .. '}')
  return { text, head or false, floor, above - own, kept(messages) }
end
