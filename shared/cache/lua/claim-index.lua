-- Lets one of those who ask for receipts load the index, while the others wait. A load that was given up is taken over
-- where it stopped: what was merged since it began is here.
-- KEYS: members hash, receipts sorted set, joined sorted set
-- ARGV: token for a new load, now and end of the lease in ms since the epoch, time to live of marks and of receipts in
--   ms
-- Reply: { 'indexed' }, { 'loading' } where another one is at it, or { 'claimed', token, user to go on after, who joined
-- of late }
-- Invariant: of callers within one lease, one is told to load.

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
