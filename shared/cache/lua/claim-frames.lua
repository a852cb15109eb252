-- Decides when frames leave: at most one a second for each user, group and kind (timeline: live/push.ts).
-- KEYS: for each frame { gate, due hash }
-- ARGV: now, how long a gate stays closed, how long a frame may stay due, time to live of the due hash, all in ms; begin and
--   end of the range of messages that the frames are about; id of the event
-- Reply: for each frame 'now'; 'later': the caller must queue it; or 'due': another event queues it, and it covers this range
-- Invariant: of several ranges, the due hash holds one that covers all of them. An event that is tried again is never replied
--   'due' for a frame that it had to queue itself: it may have failed before it did.

local now, gate_ms, due_ms, ttl = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local from, to, event = ARGV[5], ARGV[6], ARGV[7]

local function widen(due)
  local known_from, known_to = unpack(redis.call('HMGET', due, 'from', 'to'))
  if not known_from or from < known_from then redis.call('HSET', due, 'from', from) end
  if not known_to or to > known_to then redis.call('HSET', due, 'to', to) end
  redis.call('PEXPIRE', due, ttl)
end

local replies = {}
for index = 1, #KEYS, 2 do
  local gate, due = KEYS[index], KEYS[index + 1]
  local due_until, queued_by = unpack(redis.call('HMGET', due, 'until', 'by'))
  local is_due = due_until and tonumber(due_until) > now
  if is_due and queued_by ~= event then
    widen(due)
    replies[#replies + 1] = 'due'
  elseif not is_due and redis.call('SET', gate, '1', 'NX', 'PX', gate_ms) then
    replies[#replies + 1] = 'now'
  else
    redis.call('HSET', due, 'until', time_text(now + due_ms), 'by', event)
    widen(due)
    replies[#replies + 1] = 'later'
  end
end
return replies
