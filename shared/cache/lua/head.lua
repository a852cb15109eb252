-- Functions about the text of a group's head:
--   <epoch>!<position>^<loud>;<revision><policy>/<parent>   when the group was last deleted, the position of the newest message,
--                                                   that of the newest one that is not silent, and the settings
-- Left out are `!` if the group was never deleted, `^` if both positions are equal, `;` if the revision is 0, the policy
-- `members` (`s` is `sender`, `o` is `off`), and `/` if the group has no parent. Positions are in base 36, have a fixed width and are compared as text.
-- An epoch is written as a generation, so both are compared as text.
-- Invariant: the merge of two texts is commutative, associative and idempotent, and no head goes back within one epoch. Two
-- settings of one epoch and one revision are equal.

local NEWEST, LOUD, REVISION, SETTINGS, EPOCH = 1, 2, 3, 4, 5

-- The epoch of a group that was never deleted: below every other as text.
local NO_EPOCH = ''

-- The most digits of a revision, so that a number holds it exactly.
local SETTINGS_WIDTH = 15

-- Whether a text is an id, by the same rule as shared/domain/ids.ts.
local function is_id(text)
  return #text <= 128 and string.find(text, '^[%w._:@!+=~|$*-]+$') ~= nil and text ~= '.' and text ~= '..'
end

-- An epoch is compared with generations.
local EPOCH_PATTERN = '^(' .. string.rep('[0-9a-z]', GENERATION_WIDTH) .. ')!(.*)$'

-- The parts of a head; nil if the text is unreadable, such as that of another version. It counts as missing.
local function decode_head(text)
  local epoch, rest_of_text = string.match(text, EPOCH_PATTERN)
  if epoch == string.rep('0', GENERATION_WIDTH) then return nil end
  local newest, rest = string.match(rest_of_text or text, REGISTER_PATTERN)
  if not newest or not is_position(newest) then return nil end
  local loud, settings = string.match(rest, '^%^(%w+)(.*)$')
  if not loud then
    loud, settings = newest, rest
  elseif not is_position(loud) or loud >= newest then
    return nil
  end
  epoch = epoch or NO_EPOCH
  if settings == '' then return { newest, loud, 0, '', epoch } end
  local revision, values = string.match(settings, '^;([1-9]%d*)(.*)$')
  if not revision or #revision > SETTINGS_WIDTH then return nil end
  local parent = string.match(values, '^[so]?/(.+)$')
  if not (parent and is_id(parent) or string.find(values, '^[so]?$')) then return nil end
  return { newest, loud, tonumber(revision), settings, epoch }
end

-- The larger epoch; within one epoch the larger positions, and the settings of the larger revision. An unreadable text loses.
local function merge_heads(current, other)
  local a, b = decode_head(current), decode_head(other)
  if not a then return other end
  if not b then return current end
  if a[EPOCH] ~= b[EPOCH] then return a[EPOCH] > b[EPOCH] and current or other end
  local epoch = a[EPOCH] == NO_EPOCH and '' or a[EPOCH] .. '!'
  local newest = a[NEWEST] > b[NEWEST] and a[NEWEST] or b[NEWEST]
  local loud = a[LOUD] > b[LOUD] and a[LOUD] or b[LOUD]
  local settings = a[REVISION] >= b[REVISION] and a[SETTINGS] or b[SETTINGS]
  return epoch .. newest .. (loud == newest and '' or '^' .. loud) .. settings
end

-- The heads that this script has read. `put_head` in merge-group.lua keeps it current.
local read_heads = {}

local function text_of_head(head)
  if read_heads[head] == nil then read_heads[head] = redis.call('GET', head) end
  return read_heads[head]
end

-- The text of the head, and its position; false if it is missing or unreadable.
local function head_in(head)
  local text = text_of_head(head)
  local parts = text and decode_head(text)
  if not parts then return false end
  return text, parts[NEWEST]
end

-- The epoch of the group; NO_EPOCH if it was never deleted, or if the head is missing or unreadable.
local function epoch_in(head)
  local text = text_of_head(head)
  local parts = text and decode_head(text)
  return parts and parts[EPOCH] or NO_EPOCH
end
