-- Functions that read what a member sees of a group. The messages key has sections (see sections.lua):
--   !floor|<position>      every message above it is here; absent until the window is loaded
--   !load|<token>          a load is under way
--   !cut|<position>        messages at or below it were dropped during a load
--   <position>|<sender>    a message
--   @<sender>#<position>   the same message, by sender
--   ~<position>            a deleted message, so that no late merge revives it
-- Invariant: nothing here changes a key.

-- The end of the section of messages: `4` is above every position.
local MESSAGES_END = '(4'

local function kept(messages) return redis.call('ZLEXCOUNT', messages, '[0', MESSAGES_END) end

-- The entry of the message at a position; nil if it is not here.
local function message_at(messages, position)
  return redis.call('ZRANGEBYLEX', messages, '[' .. position .. '|', '(' .. position .. '}', 'LIMIT', 0, 1)[1]
end

local function own_entry(user, position) return '@' .. user .. '#' .. position end

-- Whether a text is an id, by the same rule as shared/domain/ids.ts.
local function is_id(text)
  return #text <= 128 and string.find(text, '^[%w._:@!+=~|$*-]+$') ~= nil and text ~= '.' and text ~= '..'
end

-- A position in the state of the window; false if it is missing or unreadable.
local function position_in(messages, name)
  local position = state(messages, name)
  return position and is_position(position) and position or false
end

-- The number of messages above a position, and up to the head, that others than `user` sent. A message may be here before the
-- head is raised to it. It is not counted until then: a client adds the messages that it knows above the head.
local function unread_between(messages, user, position, newest)
  local all = redis.call('ZLEXCOUNT', messages, '(' .. position .. '}', '(' .. newest .. '}')
  local own = redis.call('ZLEXCOUNT', messages, '(' .. own_entry(user, position), '[' .. own_entry(user, newest))
  return all - own
end

-- The head; false if it is missing or unreadable.
local function newest_in(head)
  local newest = redis.call('GET', head)
  return newest and is_position(newest) and newest
end

-- Returns { membership text, head, floor, messages of others above the own view and up to the head, messages kept }; text,
-- head and floor are false if unknown, and without a head nothing is counted. The head is the start if no message is
-- recorded. A member at the head gets it as the floor, since nothing is above it. A member about to read on gets no floor,
-- since the count will change. The number of messages kept is 0 unless the own view is below the floor.
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
  local unread = newest and unread_between(messages, user, read, newest) or 0
  return { text, newest, floor, unread, read < floor and kept(messages) or 0 }
end
