-- Merges what the ledger says of one group into the cache, in any order and any number of times.
-- KEYS: members hash, messages sorted set
-- ARGV: time to live in ms, messages to keep, user whose view to reply ('' for none), then entries:
--   member <user> <text>            a membership or departure, as the ledger has just told it
--   known-member <user> <text>      the same from the past: a membership that is not here stays away, since a
--                                   missing one is asked of the ledger, and an old one would be believed
--   head <position>
--   sent <position> <sender>
--   deleted <position>
--   load <token>                    a load of the window begins
--   loaded <token> <position>       it is done: every message above the position is here
-- Reply: the view (see group-view.lua), or false
-- Invariant: no register and no head goes back; a floor stands only while every message above it is here.

local members, messages = KEYS[1], KEYS[2]
local ttl, capacity, viewer = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local function is_collecting()
  return state(messages, 'floor') or state(messages, 'load')
end

-- While a load is under way it may be bringing the floor down.
local function is_below_window(position)
  local floor = state(messages, 'floor')
  return floor and position <= floor and not state(messages, 'load')
end

local function drop(entry)
  local position, sender = string.match(entry, '^(%d+)|(.+)$')
  redis.call('ZREM', messages, entry, '@' .. sender .. '|' .. position)
  return position
end

-- Without a floor nothing may claim to be complete any more: loads under way are called off.
local function trim()
  local excess = kept(messages) - capacity
  if excess <= 0 then return end
  local floor
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', messages, '[0', MESSAGES_END, 'LIMIT', 0, excess)) do
    floor = drop(entry)
  end
  if state(messages, 'floor') then
    set_state(messages, 'floor', floor)
    redis.call('ZREMRANGEBYLEX', messages, '[~', '[~' .. floor)
  else
    redis.call('ZREMRANGEBYLEX', messages, '[!load|', '(!load}')
  end
end

local merges = {}

function merges.member(user, text)
  local current = redis.call('HGET', members, user)
  local merged = current and merge(current, text) or text
  if merged ~= current then redis.call('HSET', members, user, merged) end
end

merges['known-member'] = function(user, text)
  if is_departed(decode(text)) or redis.call('HEXISTS', members, user) == 1 then merges.member(user, text) end
end

function merges.head(position)
  local current = state(messages, 'head')
  if not current or position > current then set_state(messages, 'head', position) end
end

-- A group that nobody asks about keeps no messages: whoever loads it finds them in the ledger.
function merges.sent(position, sender)
  if not is_collecting() or is_below_window(position) then return end
  if redis.call('ZSCORE', messages, '~' .. position) then return end
  redis.call('ZADD', messages, 0, position .. '|' .. sender, 0, '@' .. sender .. '|' .. position)
  trim()
end

function merges.deleted(position)
  if not is_collecting() or is_below_window(position) then return end
  local entry = redis.call('ZRANGEBYLEX', messages, '[' .. position .. '|', '(' .. position .. '}', 'LIMIT', 0, 1)[1]
  if entry then drop(entry) end
  redis.call('ZADD', messages, 0, '~' .. position)
end

function merges.load(token)
  redis.call('ZADD', messages, 0, '!load|' .. token)
end

-- A token that is gone means that the key was lost, or trimmed, since the load began: the load proves nothing.
function merges.loaded(token, position)
  if not redis.call('ZSCORE', messages, '!load|' .. token) then return end
  local floor = state(messages, 'floor')
  if not floor or position < floor then set_state(messages, 'floor', position) end
  redis.call('ZREMRANGEBYLEX', messages, '[!load|', '(!load}')
end

local arity = { member = 2, ['known-member'] = 2, head = 1, sent = 2, deleted = 1, load = 1, loaded = 2 }
local index = 4
while index <= #ARGV do
  local kind = ARGV[index]
  merges[kind](ARGV[index + 1], arity[kind] == 2 and ARGV[index + 2] or nil)
  index = index + 1 + arity[kind]
end

redis.call('PEXPIRE', members, ttl)
redis.call('PEXPIRE', messages, ttl)

return viewer ~= '' and view(members, messages, viewer)
