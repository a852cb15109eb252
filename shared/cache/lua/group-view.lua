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

-- A position in the state of the window; false if it is missing or unreadable.
local function position_in(messages, name)
  local position = state(messages, name)
  return position and is_position(position) and position or false
end

-- The number of messages above a position that others than `user` sent.
local function unread_above(messages, user, position)
  local above = redis.call('ZLEXCOUNT', messages, '(' .. position .. '}', MESSAGES_END)
  local own = redis.call('ZLEXCOUNT', messages, '(' .. own_entry(user, position), '(' .. own_entry(user, '4'))
  return above - own
end

-- Returns { membership text, head text, floor, messages of others above the own view, messages kept }; texts and floor are
-- false if unknown. The head is at the start if no message is recorded. A member at the head gets its position as the
-- floor, since nothing is above it. A member about to read on gets no floor, since the count will change. The number of
-- messages kept is 0 unless the own view is below the floor.
local function view(members, messages, head, doubts, user, now, about_to_read)
  local text, parts = trusted(redis.call('HGET', members, user), doubts, user, now)
  local head_text, newest = head_in(head)
  local read
  if parts and not is_departed(parts) then
    read = select(2, own_of(parts[SELF]))
    if newest and newest <= read then return { text, head_text, newest, 0, 0 } end
    if about_to_read and about_to_read > read then return { text, head_text, false, 0, 0 } end
  end
  local floor = position_in(messages, 'floor')
  if not read or not floor then return { text, head_text, floor, 0, 0 } end
  return { text, head_text, floor, unread_above(messages, user, read), read < floor and kept(messages) or 0 }
end
