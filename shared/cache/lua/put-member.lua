-- Functions that merge a member into the cache. A group is a table with the keys `members`, `receipts`, `doubts` and `head`,
-- and with the time `now` in ms. It remembers what one script finds out: the epoch, whether members are indexed, and whether
-- the members have changed, so that their expiry must be renewed.
-- Invariant: no register goes back. A complete index has every merged member. While a head is here, no member is of a
-- generation up to its epoch.

-- Whether a time as text, a generation or when a message was recorded, is after the group was last deleted. Without a head
-- that is not known: a head with an epoch empties the other keys when it comes (merge-group.lua).
local function is_after_epoch(group, time)
  if not group.epoch then group.epoch = epoch_in(group.head) end
  return time > group.epoch
end

-- Whether merged members are indexed. If the members hash was lost, the index misses members too, so it is deleted.
local function is_indexing(group)
  if group.indexing ~= nil then return group.indexing end
  local members, receipts = group.members, group.receipts
  local states = redis.call('ZRANGEBYLEX', receipts, '[!index|', '(!load}')
  group.indexing = #states > 0 and string.match(states[#states], '|(.+)$') == redis.call('HGET', members, '#index')
  if #states > 0 and not group.indexing then redis.call('UNLINK', receipts) end
  return group.indexing
end

-- Merges a text into a member's, unless it is of a generation up to the epoch. The `?` of a doubt goes only if the text is
-- just read from the ledger and no token is left.
local function put(group, user, current, text, may_be_old)
  if not is_after_epoch(group, string.sub(text, 1, GENERATION_WIDTH)) then return end
  local members, receipts = group.members, group.receipts
  group.is_changed = true
  local before = current and decode(current)
  local merged = before and merge(plain(current), text) or text
  if current and is_in_doubt(current) and (may_be_old or #live_doubts(group.doubts, user, group.now) > 0) then
    merged = merged .. '?'
  end
  if merged ~= current then redis.call('HSET', members, user, merged) end
  if not is_indexing(group) then return end
  if current and not before then
    -- The old text is unreadable, so its entries in the index are unknown.
    redis.call('UNLINK', receipts)
    group.indexing = false
    return
  end
  if before and not is_departed(before) then redis.call('ZREM', receipts, unpack(entries_of(user, before))) end
  local after = decode(merged)
  if not after or is_departed(after) then return end
  for _, entry in ipairs(entries_of(user, after)) do redis.call('ZADD', receipts, 0, entry) end
end
