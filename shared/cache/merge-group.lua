-- Merges what the ledger says of one group into the cache, in any order and any number of times.
-- KEYS: members hash, messages sorted set, receipts sorted set, head, joined sorted set
-- ARGV: now in ms since the epoch, time to live in ms, messages to keep, user whose view to reply ('' for none),
--   position for which to tell how far everyone has read ('' for none), then entries:
--   member <user> <text>            a membership or departure, as the ledger has just told it
--   known-member <user> <text>      the same from the past: a membership that is not here stays away, since a
--                                   missing one is asked of the ledger, and an old one would be believed
--   settled <user> <token>          this doubt of the member's own view has come to its end
--   joined <user>                   a member who has just joined
--   head <position>                 the start where no message is recorded
--   known-head <position>           the same from the past: where none is here it stays away
--   sent <position> <sender>
--   deleted <position>
--   load <token>                    a load of the window begins; the token begins with the time in ms
--   loaded <token> <position>       it is done: every message above the position is here
--   index <token> <lease> <user>    of a load of the receipts, the members up to this one are here
--   indexed <token>                 it is done: every member is here
--   laggard <user>                  a member whom, as it seems, nobody's public watermark is behind
-- Reply: the view (see group-view.lua); without a viewer { how far everyone has read, or false where that is not known
-- or not asked; where the members are indexed, the known members who are not here; who joined of late, where asked }
-- Invariant: no register and no head goes back; a floor stands only while every message above it is here, an index
-- only while every member is.

local members, messages, receipts, head, joined = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, ttl, capacity, viewer, asked = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]

-- A load that takes longer was given up.
local ABANDONED_MS = 60000

-- Whether a message at a position belongs here: into a window that is complete down to below it, or into one that is
-- being loaded, since the load may be bringing the floor down.
local function is_kept_at(position)
  local floor = state(messages, 'floor')
  return floor and position > floor or state(messages, 'load')
end

local function drop(entry)
  local position, sender = string.match(entry, '^(%w+)|(.+)$')
  redis.call('ZREM', messages, entry, '@' .. sender .. '|' .. position)
  return position
end

-- Remembers that messages up to a position had to go: the window is complete above it at best, and so is whatever a
-- load under way will bring.
local function raise(name, position)
  local current = state(messages, name)
  if not current or position > current then set_state(messages, name, position) end
end

local function trim()
  local excess = kept(messages) - capacity
  if excess <= 0 then return end
  local dropped
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', messages, '[0', MESSAGES_END, 'LIMIT', 0, excess)) do
    dropped = drop(entry)
  end
  if state(messages, 'floor') then raise('floor', dropped) end
  if state(messages, 'load') then raise('cut', dropped) end
  redis.call('ZREMRANGEBYLEX', messages, '[~', '[~' .. dropped)
end

-- Whether members are to be indexed. An index whose hash was lost misses whoever was in it alone: it goes too.
local indexing
local function is_indexing()
  if indexing ~= nil then return indexing end
  local states = redis.call('ZRANGEBYLEX', receipts, '[!index|', '(!load}')
  indexing = #states > 0 and string.match(states[#states], '|(.+)$') == redis.call('HGET', members, '|index')
  if #states > 0 and not indexing then redis.call('UNLINK', receipts) end
  return indexing
end

-- The keys that live on, since they have changed.
local changed = {}

local function put(user, current, merged)
  changed.members = true
  if merged ~= current then redis.call('HSET', members, user, merged) end
  if not is_indexing() then return end
  local before = current and decode(current)
  if before and not is_departed(before) then redis.call('ZREM', receipts, unpack(entries_of(user, before))) end
  local after = decode(merged)
  if is_departed(after) then return end
  for _, entry in ipairs(entries_of(user, after)) do redis.call('ZADD', receipts, 0, entry) end
end

local function add_message(...)
  changed.messages = true
  redis.call('ZADD', messages, ...)
end

local merges = {}
local strangers = {}

function merges.member(user, text)
  local current = redis.call('HGET', members, user)
  put(user, current, current and merge(current, text) or text)
end

function merges.settled(user, token)
  local left = doubts_left(redis.call('HGET', members, '?' .. user), now, token)
  if left == '' then redis.call('HDEL', members, '?' .. user) else redis.call('HSET', members, '?' .. user, left) end
end

function merges.joined(user)
  changed.joined = true
  redis.call('ZADD', joined, now, user)
end

merges['known-member'] = function(user, text)
  local current = redis.call('HGET', members, user)
  if current or is_departed(decode(text)) then
    merges.member(user, text)
  elseif is_indexing() then
    strangers[#strangers + 1] = user
  end
end

function merges.head(position)
  local current = redis.call('GET', head)
  if not current or position > current then redis.call('SET', head, position, 'PX', ttl) end
end

merges['known-head'] = function(position)
  if redis.call('EXISTS', head) == 1 then merges.head(position) end
end

-- A group that nobody asks about keeps no messages: whoever loads it finds them in the ledger.
function merges.sent(position, sender)
  if not is_kept_at(position) or redis.call('ZSCORE', messages, '~' .. position) then return end
  add_message(0, position .. '|' .. sender, 0, '@' .. sender .. '|' .. position)
  trim()
end

function merges.deleted(position)
  local entry = message_at(messages, position)
  if entry then drop(entry) end
  if is_kept_at(position) then add_message(0, '~' .. position) end
end

function merges.load(token) add_message(0, '!load|' .. token) end

-- A token that is gone means that the key was lost since the load began: the load proves nothing.
function merges.loaded(token, position)
  if not redis.call('ZSCORE', messages, '!load|' .. token) then return end
  changed.messages = true
  local floor, cut = state(messages, 'floor'), state(messages, 'cut')
  if cut and cut > position then position = cut end
  if not floor or position < floor then set_state(messages, 'floor', position) end
  redis.call('ZREM', messages, '!load|' .. token)
  redis.call('ZREMRANGEBYLEX', messages, '[!load|', '(!load|' .. (now - ABANDONED_MS))
  if not state(messages, 'load') then clear_state(messages, 'cut') end
end

function merges.index(token, lease, user)
  if not is_indexing() or state(receipts, 'load') ~= token then return end
  set_state(receipts, 'lease', lease)
  set_state(receipts, 'after', user)
end

function merges.indexed(token)
  if not is_indexing() or state(receipts, 'load') ~= token then return end
  redis.call('ZREMRANGEBYLEX', receipts, '[!', '(!}')
  set_state(receipts, 'index', token)
end

function merges.laggard(user)
  changed.members = true
  redis.call('HSET', members, '|laggard', user)
end

-- How far everyone has read. Without an index it is enough to know of one member who is not past the position asked.
local function everyone_at()
  if is_indexing() and state(receipts, 'index') then return lowest_public(receipts) end
  local user = redis.call('HGET', members, '|laggard')
  local text = user and redis.call('HGET', members, user)
  local parts = text and decode(text)
  if not parts or is_departed(parts) then return false end
  local shown = position_of(parts[PUBLIC])
  return shown <= asked and shown
end

local arity = {
  member = 2, ['known-member'] = 2, settled = 2, joined = 1, head = 1, ['known-head'] = 1,
  sent = 2, deleted = 1, load = 1, loaded = 2, index = 3, indexed = 1, laggard = 1,
}
local position = 6
while position <= #ARGV do
  local kind = ARGV[position]
  merges[kind](unpack(ARGV, position + 1, position + arity[kind]))
  position = position + 1 + arity[kind]
end

-- The receipts live by being asked for, not by changing.
if changed.members then redis.call('PEXPIRE', members, ttl) end
if changed.messages then redis.call('PEXPIRE', messages, ttl) end
if changed.joined then
  redis.call('PEXPIRE', joined, RECENT_MS)
  redis.call('ZREMRANGEBYSCORE', joined, '-inf', now - RECENT_MS)
end

if viewer ~= '' then return view(members, messages, head, viewer, now) end
if asked == '' then return { false, strangers, {} } end
return { everyone_at(), strangers, recently_joined(joined, now) }
