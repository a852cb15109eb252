-- The messages key, in sections (see sections.lua):
--   !floor|<position>      every message above it is here; absent while the window is not loaded
--   !load|<token>          a load under way
--   !cut|<position>        meanwhile what is at or below it had to go
--   <position>|<sender>    a message
--   @<sender>#<position>   the same message, by sender
--   ~<position>            a deleted message, so that nothing late revives it

-- Above every position, and so `4` ends a section that begins with positions.
local MESSAGES_END = '(4'

local function kept(messages) return redis.call('ZLEXCOUNT', messages, '[0', MESSAGES_END) end

-- The entry of the message at a position, if it is here.
local function message_at(messages, position)
  return redis.call('ZRANGEBYLEX', messages, '[' .. position .. '|', '(' .. position .. '}', 'LIMIT', 0, 1)[1]
end

local function own_entry(user, position) return '@' .. user .. '#' .. position end

-- Whether a text is an id, as shared/domain/ids.ts has it.
local function is_id(text)
  return #text <= 128 and string.find(text, '^[%w._:@!+=~|$*-]+$') ~= nil and text ~= '.' and text ~= '..'
end

-- A position in the state of the window; false where there is none, or none that can be read.
local function position_in(messages, name)
  local position = state(messages, name)
  return position and is_position(position) and position or false
end

-- The messages of others than `user` above a position.
local function unread_above(messages, user, position)
  local above = redis.call('ZLEXCOUNT', messages, '(' .. position .. '}', MESSAGES_END)
  local own = redis.call('ZLEXCOUNT', messages, '(' .. own_entry(user, position), '(' .. own_entry(user, '4'))
  return above - own
end

-- The head; false where it is not known, or cannot be read.
local function newest_in(head)
  local newest = redis.call('GET', head)
  return newest and is_position(newest) and newest
end

-- What a member sees: { membership text, head, floor, messages of others above its own view, messages kept },
-- each false where it is not known. The head is the start where no message is recorded. Nothing is above the head: it
-- does for a floor. Who is about to read on is told no floor, since the count will be another. How many messages are
-- kept is told where not all that are unread are among them.
local function view(members, messages, head, doubts, user, now, about_to_read)
  local text, parts = trusted(redis.call('HGET', members, user), doubts, user, now)
  local newest = newest_in(head)
  local read
  if parts and not is_departed(parts) then
    read = select(2, own_of(parts[SELF]))
    if newest and newest <= read then return { text, newest, newest, 0, 0 } end
    if about_to_read and about_to_read > read then return { text, newest, false, 0, 0 } end
  end
  local floor = position_in(messages, 'floor')
  if not read or not floor then return { text, newest, floor, 0, 0 } end
  return { text, newest, floor, unread_above(messages, user, read), read < floor and kept(messages) or 0 }
end
