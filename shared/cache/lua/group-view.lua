-- Functions that read what a member sees of a group. The messages key has sections (see sections.lua):
--   !floor|<position>      every message above it is here; absent until the window is loaded
--   !load|<token>          a load is under way
--   !cut|<position>        messages at or below it were dropped during a load
--   <position>|<sender>    a message
--   @<sender>#<position>   the same message, by sender, unless it is silent
--   =<position>            the same message, if it is silent, and
--   *<sender>#<position>   by sender
--   ><user>#<position>     the same message, by a user whom it mentions
--   &<position>            the same message, if it mentions everybody, and
--   <<sender>#<position>   by sender
--   %<position>|<user>,... whom it mentions (`#all` for everybody), so that the entries above leave together with it
--   ~<position>            a deleted message, so that no late merge revives it
-- Invariant: nothing here changes a key.

-- The end of the section of messages: `4` is above every position.
local MESSAGES_END = '(4'

local EVERYBODY = '#all'

local function kept(messages) return redis.call('ZLEXCOUNT', messages, '[0', MESSAGES_END) end

-- The entry of the message at a position; nil if it is not here.
local function message_at(messages, position)
  return redis.call('ZRANGEBYLEX', messages, '[' .. position .. '|', '(' .. position .. '}', 'LIMIT', 0, 1)[1]
end

-- The sections whose entries end with a position.
local SILENT, MENTIONS_OF_ALL = '=', '&'
local function own_of_user(user) return '@' .. user .. '#' end
local function silent_of_user(user) return '*' .. user .. '#' end
local function mentions_of_user(user) return '>' .. user .. '#' end
local function mentions_of_all_by(user) return '<' .. user .. '#' end

-- The number of entries of such a section above a position and up to another.
local function count_above(messages, section, above, last)
  return redis.call('ZLEXCOUNT', messages, '(' .. section .. above, '[' .. section .. last)
end

-- The number of entries of such a section from a position on and up to another.
local function count_from(messages, section, first, last)
  return redis.call('ZLEXCOUNT', messages, '[' .. section .. first, '[' .. section .. last)
end

local function is_sent_by(messages, position, user)
  return redis.call('ZSCORE', messages, position .. '|' .. user)
end

-- A position in the state of the window; false if it is missing or unreadable.
local function position_in(messages, name)
  local position = state(messages, name)
  return position and is_position(position) and position or false
end

-- The position of the first message above `read` that counts for a user after `passed` others that do. `uncounted` is the
-- number of its own and of silent messages above `read`. Among the first k messages, k less these are counted, which
-- grows with k: a binary search finds it, in at most 13 steps for 5,500 messages.
local function first_counted(messages, user, read, passed, uncounted)
  local own = own_of_user(user)
  local rank = redis.call('ZLEXCOUNT', messages, '-', '(' .. read .. '}')
  local function position_at(place)
    local index = rank + place - 1
    return string.sub(redis.call('ZRANGE', messages, index, index)[1], 1, POSITION_WIDTH)
  end
  local low, high = passed + 1, passed + 1 + uncounted
  while low < high do
    local middle = math.floor((low + high) / 2)
    local position = position_at(middle)
    local counted = middle - count_above(messages, own, read, position) - count_above(messages, SILENT, read, position)
    if counted > passed then high = middle else low = middle + 1 end
  end
  return position_at(low)
end

-- Counts the messages above a position and up to the head that others than `user` sent and that are not silent. A message may
-- be here before the head is raised to it. It is not counted until then: a client adds the messages that it knows above the
-- head. Returns their number, but at most one more than the limit; how many of the newest `limit` of them mention the user;
-- and the position of the oldest of these, false if there is none. O(log N), whatever the number of messages.
local function unread_in(messages, user, read, newest, limit)
  local above, last = '(' .. read .. '}', '(' .. newest .. '}'
  local all = redis.call('ZLEXCOUNT', messages, above, last)
  if all == 0 then return 0, 0, false end
  -- `<`, `=` and `>` follow each other. Without an entry there, no message is silent, and none mentions anybody.
  local is_plain = redis.call('ZLEXCOUNT', messages, '[<', '(?') == 0
  local uncounted = count_above(messages, own_of_user(user), read, newest)
  if not is_plain then uncounted = uncounted + count_above(messages, SILENT, read, newest) end
  local count = all - uncounted
  if count <= 0 then return 0, 0, false end
  local first
  if uncounted == 0 and count <= limit then
    local entry = redis.call('ZRANGEBYLEX', messages, above, last, 'LIMIT', 0, 1)[1]
    first = string.sub(entry, 1, POSITION_WIDTH)
  else
    first = first_counted(messages, user, read, math.max(count - limit, 0), uncounted)
  end
  local mentions = 0
  if not is_plain then
    mentions = count_from(messages, mentions_of_user(user), first, newest)
      + count_from(messages, MENTIONS_OF_ALL, first, newest)
      - count_from(messages, mentions_of_all_by(user), first, newest)
  end
  return math.min(count, limit + 1), mentions, first
end

-- What is unread above a position, of the messages above the floor: three values of a reply. Messages below the floor may be
-- here too, left by a load, but then not all of them.
local function unread_above_floor(messages, user, read, floor, newest, limit)
  return unread_in(messages, user, read < floor and floor or read, newest, limit)
end

-- Returns { membership text, head text, floor, unread messages, mentions in them, the first of them, messages kept }; texts,
-- floor and first are false if unknown. For the unread ones see `unread_in`: they are those above the own view and the
-- floor; without a head nothing is counted. The head is at the start if no message is recorded. A member at the head gets its position as the floor, since
-- nothing is above it. A member about to read on gets no floor, since the count will change. The number of messages kept is
-- 0 unless the own view is below the floor.
local function view(members, messages, head, doubts, user, now, limit, about_to_read)
  local text, parts = trusted(redis.call('HGET', members, user), doubts, user, now)
  local head_text, newest = head_in(head)
  local read
  if parts and not is_departed(parts) then
    read = select(2, own_of(parts[SELF]))
    if newest and newest <= read then return { text, head_text, newest, 0, 0, false, 0 } end
    if about_to_read and about_to_read > read then return { text, head_text, false, 0, 0, false, 0 } end
  end
  local floor = position_in(messages, 'floor')
  if not read or not floor or not newest then return { text, head_text, floor, 0, 0, false, 0 } end
  local count, mentions, first = unread_above_floor(messages, user, read, floor, newest, limit)
  return { text, head_text, floor, count, mentions, first, read < floor and kept(messages) or 0 }
end
