-- Functions that merge a member into the cache. A group is a table with the keys `members`, `receipts` and `doubts`, and with
-- the time `now` in ms since the epoch. It remembers what one script finds out: whether members are indexed, and whether
-- the members have changed, so that their expiry must be renewed.
-- Invariant: no register goes back. A complete index has every merged member.

-- Whether merged members are indexed. If the members hash was lost, the index misses members too, so it is deleted.
local function is_indexing(group)
  if group.indexing ~= nil then return group.indexing end
  local members, receipts = group.members, group.receipts
  local states = redis.call('ZRANGEBYLEX', receipts, '[!index|', '(!load}')
  group.indexing = #states > 0 and string.match(states[#states], '|(.+)$') == redis.call('HGET', members, '#index')
  if #states > 0 and not group.indexing then redis.call('UNLINK', receipts) end
  return group.indexing
end

-- Merges a text into a member's. The `?` of a doubt goes only if the text is current and no token is left.
local function put(group, user, current, text, is_past)
  local members, receipts = group.members, group.receipts
  group.is_changed = true
  local before = current and decode(current)
  local merged = before and merge(plain(current), text) or text
  if current and is_in_doubt(current) and (is_past or #live_doubts(group.doubts, user, group.now) > 0) then
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
