-- Merges one user's memberships in several groups, just read from the ledger.
-- KEYS: for each group its members hash, receipts sorted set, doubts hash and head
-- ARGV: now in ms since the epoch, time to live in ms, user, then for each group the text of the membership
-- Reply: 1
-- Invariant: no register goes back.

local now, ttl, user = tonumber(ARGV[1]), ARGV[2], ARGV[3]
for number = 1, #KEYS / 4 do
  local members, receipts, doubts, head = unpack(KEYS, 4 * number - 3, 4 * number)
  local group = { members = members, receipts = receipts, doubts = doubts, head = head, now = now }
  put(group, user, redis.call('HGET', members, user), ARGV[number + 3])
  if group.is_changed then redis.call('PEXPIRE', members, ttl) end
end
return 1
