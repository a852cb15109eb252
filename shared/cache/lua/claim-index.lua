-- Gives the load of the receipts index to one caller, while others wait (timeline: operations/receipts-load.ts). If a
-- loader dies, the next one continues where it stopped: members merged since the load began are indexed.
-- KEYS: members hash, receipts sorted set, joined sorted set
-- ARGV: token for a new load, now and end of the lease in ms since the epoch, time to live of members, receipts in ms
-- Reply: { 'indexed' }, { 'loading' } if another caller loads it, or { 'claimed', token, user to continue after ('' to
--   begin), users who joined a moment ago }
-- Invariant: within one lease, one caller has the claim.

local members, receipts, joined = KEYS[1], KEYS[2], KEYS[3]
local token, now, lease, ttl, receipts_ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]

if is_indexed(members, receipts) then return { 'indexed' } end
local load = state(receipts, 'load')
if load and load == redis.call('HGET', members, '#index') then
  local lease_end = string.match(state(receipts, 'lease') or '', '^%d+$')
  if lease_end and tonumber(lease_end) > now then return { 'loading' } end
  set_state(receipts, 'lease', lease)
  return { 'claimed', load, state(receipts, 'after') or '', recently_joined(joined, now) }
end

redis.call('UNLINK', receipts)
redis.call('HSET', members, '#index', token)
set_state(receipts, 'load', token)
set_state(receipts, 'lease', lease)
redis.call('PEXPIRE', members, ttl)
redis.call('PEXPIRE', receipts, receipts_ttl)
return { 'claimed', token, '', recently_joined(joined, now) }
