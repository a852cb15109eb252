-- Merges what the ledger holds of one group into the cache, in any order and any number of times.
-- KEYS: members hash, messages sorted set, receipts sorted set, head, joined sorted set, doubts hash, early hash
-- ARGV: now in ms since the epoch, time to live in ms, messages to keep, user whose view to reply ('' for none),
--   position that a member has moved on from ('' for none: then the first value of the reply is false), most unread messages to
--   count for the view, then the changes: the kind of each and the values of that kind (see `merges` below)
-- Reply: the view (see group-view.lua); without a user to view { how far everyone has read, or false if unknown;
--   users of `knownMember` whom the index lacks; users who joined a moment ago, if a position was given; the due marks,
--   five values each (see early-marks.lua) }
-- Invariant: no register goes back, and no head within one epoch. A floor exists only while every message above it is here, a
--   complete index only while every member is. While a head is here, nothing here is of a time up to its epoch.

local members, messages, receipts, head, joined, doubts, early = unpack(KEYS)
local now, ttl, capacity, viewer, former_position = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local limit = tonumber(ARGV[6])

-- A load that takes longer counts as dead.
local ABANDONED_MS = 60000

-- The most loads at the same time. One more gets no token, so it sets no floor; the earlier loads set it.
local MOST_LOADS = 200

-- Whether a message at a position is kept: it is above the floor, or a load is under way, which may lower the floor.
local function is_kept_at(position)
  local floor = position_in(messages, 'floor')
  return floor and position > floor or state(messages, 'load')
end

-- The entries about whom a message mentions: `mentioned` is as in its `%` entry.
local function mention_entries(position, sender, mentioned)
  if mentioned == '' then return {} end
  local entries = { '%' .. position .. '|' .. mentioned }
  if mentioned == EVERYBODY then
    entries[2] = MENTIONS_OF_ALL .. position
    entries[3] = mentions_of_all_by(sender) .. position
    return entries
  end
  for user in string.gmatch(mentioned, '[^,]+') do entries[#entries + 1] = mentions_of_user(user) .. position end
  return entries
end

-- Whom the message at a position mentions, as in its `%` entry; '' for nobody.
local function mentioned_at(position)
  local range = redis.call('ZRANGEBYLEX', messages, '[%' .. position .. '|', '(%' .. position .. '}', 'LIMIT', 0, 1)
  return range[1] and string.sub(range[1], #position + 3) or ''
end

-- Removes the entries of a message and returns its position; nil if that is unreadable.
local function drop(entry)
  local position, sender = string.match(entry, '^(%w+)|(.+)$')
  if not position then
    redis.call('ZREM', messages, entry)
    return nil
  end
  local mentions = mention_entries(position, sender, mentioned_at(position))
  local entries = { entry, own_of_user(sender) .. position, SILENT .. position, silent_of_user(sender) .. position }
  for _, mention in ipairs(mentions) do entries[#entries + 1] = mention end
  redis.call('ZREM', messages, unpack(entries))
  return is_position(position) and position or nil
end

-- Raises the floor or the cut to a position, after messages up to it were dropped.
local function raise(name, position)
  local current = position_in(messages, name)
  if not current or position > current then set_state(messages, name, position) end
end

local function trim()
  local excess = kept(messages) - capacity
  if excess <= 0 then return end
  local dropped
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', messages, '[0', MESSAGES_END, 'LIMIT', 0, excess)) do
    dropped = drop(entry) or dropped
  end
  if not dropped then return end
  if state(messages, 'floor') then raise('floor', dropped) end
  if state(messages, 'load') then raise('cut', dropped) end
  redis.call('ZREMRANGEBYLEX', messages, '[~', '[~' .. dropped)
end

local group = { members = members, receipts = receipts, doubts = doubts, head = head, now = now }

-- The keys that have changed: their expiry is renewed.
local changed = {}

local function add_entries(entries)
  changed.messages = true
  local scored = {}
  for _, entry in ipairs(entries) do
    scored[#scored + 1] = 0
    scored[#scored + 1] = entry
  end
  redis.call('ZADD', messages, unpack(scored))
end

-- Without a window or a load nothing is kept: a later load finds the message in the ledger.
local function add_message(position, sender, recorded_at, entries)
  if not is_after_epoch(group, recorded_at) then return end
  if not is_kept_at(position) or redis.call('ZSCORE', messages, '~' .. position) then return end
  entries[#entries + 1] = position .. '|' .. sender
  add_entries(entries)
  trim()
end

-- Empties all keys but the head, when the group was deleted. The tokens of loads and doubts under way are lost with them, so
-- their later steps change nothing.
local function begin_again()
  redis.call('UNLINK', members, messages, receipts, joined, doubts, early)
  group.epoch, group.indexing = nil, nil
end

-- Merges a head. A larger epoch empties the other keys. So does an epoch if no readable head is here: what was merged in the
-- meantime may be of a time up to it.
local function put_head(text)
  local current = text_of_head(head)
  local merged = current and merge_heads(current, text) or text
  if merged == current then return end
  local before, after = current and decode_head(current), decode_head(merged)
  redis.call('SET', head, merged, 'PX', ttl)
  read_heads[head] = merged
  if after and after[EPOCH] > (before and before[EPOCH] or NO_EPOCH) then begin_again() end
end

-- Forgets the loads that count as dead.
local function drop_abandoned_loads()
  redis.call('ZREMRANGEBYLEX', messages, '[!load|', '(!load|' .. time_text(now - ABANDONED_MS))
end

-- Filled by the changes below, for the reply.
local unknown_members, due = {}, {}

-- For each kind of change the number of its values, and the function that merges them. cache/changes.ts makes the
-- changes.
local merges = {}

-- A membership or departure, just read from the ledger.
merges.member = { 2, function(user, text) put(group, user, redis.call('HGET', members, user), text) end }

-- One that may be old. A membership is merged only if the member is here: a missing member is read from the ledger, and an
-- old copy would hide that. A departure is merged always.
merges.knownMember = { 2, function(user, text)
  local current = redis.call('HGET', members, user)
  local parts = decode(text)
  if not parts or not is_after_epoch(group, parts[GENERATION]) then return end
  if current and decode(current) or is_departed(parts) then
    put(group, user, current, text, true)
  elseif is_indexing(group) then
    unknown_members[#unknown_members + 1] = user
  end
end }

-- A departure that the ledger has removed. What it ended goes too. A later departure and a later membership stay.
merges.forgotten = { 2, function(user, text)
  local current = redis.call('HGET', members, user)
  if current then put(group, user, current, text, true) end
  local parts, given = current and decode(redis.call('HGET', members, user)), decode(text)
  if parts and (not is_departed(parts) or parts[GENERATION] > given[GENERATION]) then return end
  redis.call('HDEL', members, user)
  redis.call('ZREM', joined, user)
  if redis.call('HGET', members, '#laggard') == user then redis.call('HDEL', members, '#laggard') end
end }

-- The member has just joined.
merges.joined = { 1, function(user)
  changed.joined = true
  redis.call('ZADD', joined, now, user)
end }

-- Puts the member's own view in doubt (see doubts.lua).
merges.doubt = { 2, function(user, token)
  add_doubt(members, doubts, user, redis.call('HGET', members, user), now, token)
end }

-- Ends this doubt. If the doubts are lost or unreadable, the text stays in doubt until the member is merged again.
merges.settled = { 2, function(user, token)
  local left, is_whole = live_doubts(doubts, user, now, token)
  if not is_whole then return end
  keep_doubts(doubts, user, left)
  local text = #left == 0 and redis.call('HGET', members, user)
  if text and is_in_doubt(text) then redis.call('HSET', members, user, plain(text)) end
end }

-- Keeps a clamped mark, unless the head has reached it by now: user, position, generation, revision, kind.
merges.early = { 5, function(user, position, ...)
  local _, newest = head_in(head)
  if not newest or position > newest then add_early(early, user, now, position, ...) end
end }

-- Takes out early marks at or below the head, for the reply.
merges.due = { 1, function(most)
  local _, newest = head_in(head)
  if newest then due = take_early(early, newest, now, tonumber(most)) end
end }

-- A head (see head.lua), just read from the ledger.
merges.head = { 1, put_head }

-- A head that may be old. Without a head here it is not merged; if it has an epoch, the other keys are emptied, since they may
-- be of a time up to it.
merges.knownHead = { 1, function(text)
  if head_in(head) then return put_head(text) end
  local parts = decode_head(text)
  if parts and parts[EPOCH] ~= NO_EPOCH then begin_again() end
end }

-- A head that the ledger has removed.
merges.expiredHead = { 1, function(text)
  if text_of_head(head) ~= text then return end
  redis.call('UNLINK', head)
  read_heads[head], group.epoch = false, nil
end }

-- A message: position, sender, when it was recorded, and whom it mentions (see the `%` entries in group-view.lua; '' for nobody).
merges.sent = { 4, function(position, sender, recorded_at, mentioned)
  local entries = mention_entries(position, sender, mentioned)
  entries[#entries + 1] = own_of_user(sender) .. position
  add_message(position, sender, recorded_at, entries)
end }

-- A message that is silent: position, sender, when it was recorded.
merges.silent = { 3, function(position, sender, recorded_at)
  add_message(position, sender, recorded_at, { SILENT .. position, silent_of_user(sender) .. position })
end }

-- A message that no longer counts, whether or not it is here: position, when it was recorded. One of a time up to the epoch
-- must not take away the message that now has its id.
merges.deleted = { 2, function(position, recorded_at)
  if not is_after_epoch(group, recorded_at) then return end
  local entry = message_at(messages, position)
  if entry then drop(entry) end
  if is_kept_at(position) then add_entries({ '~' .. position }) end
end }

-- A load of the window begins. The token begins with the time in ms.
merges.load = { 1, function(token)
  drop_abandoned_loads()
  if redis.call('ZLEXCOUNT', messages, '[!load|', '(!load}') < MOST_LOADS then add_entries({ '!load|' .. token }) end
end }

-- The load is complete: every message above the position is here. If the token is gone, the key was lost since the load
-- began and messages may be missing: no floor is set.
merges.loaded = { 2, function(token, position)
  if not redis.call('ZSCORE', messages, '!load|' .. token) then return end
  changed.messages = true
  local floor, cut = position_in(messages, 'floor'), position_in(messages, 'cut')
  if cut and cut > position then position = cut end
  if not floor or position < floor then set_state(messages, 'floor', position) end
  redis.call('ZREM', messages, '!load|' .. token)
  drop_abandoned_loads()
  if not state(messages, 'load') then clear_state(messages, 'cut') end
end }

-- A step of a load of the receipts: the members up to this one are here.
merges.index = { 3, function(token, lease, user)
  if not is_indexing(group) or state(receipts, 'load') ~= token then return end
  set_state(receipts, 'lease', lease)
  set_state(receipts, 'after', user)
end }

-- The load of the receipts is complete: every member is here.
merges.indexed = { 1, function(token)
  if not is_indexing(group) or state(receipts, 'load') ~= token then return end
  redis.call('ZREMRANGEBYLEX', receipts, '[!', '(!}')
  set_state(receipts, 'index', token)
end }

-- The member found behind all others in a search of the ledger.
merges.laggard = { 1, function(user)
  -- It is not here if the group was deleted in the meantime.
  if redis.call('HEXISTS', members, user) == 0 then return end
  changed.members = true
  redis.call('HSET', members, '#laggard', user)
end }

-- How far everyone has read. Without an index, a known member who is not past the position is enough for an answer.
local function fully_read()
  if is_indexing(group) and state(receipts, 'index') then return lowest_public(receipts) end
  local user = redis.call('HGET', members, '#laggard')
  local text = user and redis.call('HGET', members, user)
  local parts = text and decode(text)
  if not parts or is_departed(parts) then return false end
  local shown = position_of(parts[PUBLIC])
  return shown <= former_position and shown
end

local next_change = 7
while next_change <= #ARGV do
  local merge_change = merges[ARGV[next_change]]
  local last_value = next_change + merge_change[1]
  merge_change[2](unpack(ARGV, next_change + 1, last_value))
  next_change = last_value + 1
end

-- The expiry of the receipts is not renewed here: only reads renew it.
if changed.members or group.is_changed then redis.call('PEXPIRE', members, ttl) end
if changed.messages then redis.call('PEXPIRE', messages, ttl) end
if changed.joined then
  redis.call('PEXPIRE', joined, RECENT_MS)
  redis.call('ZREMRANGEBYSCORE', joined, '-inf', now - RECENT_MS)
end

if viewer ~= '' then return view(members, messages, head, doubts, viewer, now, limit) end
if former_position == '' then return { false, unknown_members, {}, due } end
return { fully_read(), unknown_members, recently_joined(joined, now), due }
