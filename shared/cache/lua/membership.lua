-- Functions about the text of a membership:
--   <generation><joinedAfter>|<self>|<public>|<delivered>   trailing parts equal to the part before them are left out
--   ...;<preferences>                                       if the member has changed them
--   <generation>-                                           a departure
--   ...?                                                    the own view is in doubt (see doubts.lua)
-- A register is a position, then `@` and a time since the generation began if it has moved. `self` begins with its
-- revision if that is not 0: `<count>~` in a first membership, `<count>^<first>~` in a later one, where the revision is
-- the sum of both. Preferences are `<revision>@<time>`, then only what differs from the default: `M` or `N` to be notified
-- of mentions or of nothing, `U<ms>` muted until then, `H` with hidden receipts, `A<position>` archived until a newer
-- message, `Z` archived always. Positions and generations are in base 36, have a fixed width and are compared as text.
-- Invariant: the merge of two texts is commutative, associative and idempotent, and no register goes back.

local GENERATION, JOINED, SELF, PUBLIC, DELIVERED, PREFERENCES = 1, 2, 3, 4, 5, 6
local GENERATION_WIDTH, POSITION_WIDTH = 9, 13

-- The most digits of both numbers of a revision.
local COUNT_WIDTH, FIRST_WIDTH = 10, 15

-- The most digits of the revision of preferences, and of the time until which a group is muted.
local PREFERENCES_WIDTH, MUTED_WIDTH = 15, 10

-- The position of the largest message id.
local LARGEST = '3w5e11264sgsf'

local GENERATION_PATTERN = '^' .. string.rep('[0-9a-z]', GENERATION_WIDTH) .. '(.*)$'
local REGISTER_PATTERN = '^(' .. string.rep('[0-9a-z]', POSITION_WIDTH) .. ')(.*)$'

local function is_in_doubt(text) return string.sub(text, -1) == '?' end

-- The text without the `?` of a doubt.
local function plain(text)
  if is_in_doubt(text) then return string.sub(text, 1, -2) end
  return text
end

local function is_position(text)
  local position, rest = string.match(text, REGISTER_PATTERN)
  return position ~= nil and rest == '' and position <= LARGEST
end

-- A time is no longer than a generation, so that each value is a valid date.
local function is_register(text)
  local position, rest = string.match(text, REGISTER_PATTERN)
  if not position or position > LARGEST then return false end
  local time = string.match(rest, '^@%-?([0-9a-z]+)$')
  return rest == '' or time ~= nil and #time <= GENERATION_WIDTH
end

-- A revision must fit into a number exactly: a larger one would win every merge and could not be returned.
local function is_own_register(text)
  local revision, register = string.match(text, '^([^~]+)~(.+)$')
  if not revision then return is_register(text) end
  local count, first = string.match(revision, '^%d+$'), ''
  if not count then count, first = string.match(revision, '^(%d+)%^(%d+)$') end
  return count ~= nil and #count <= COUNT_WIDTH and #first <= FIRST_WIDTH and is_register(register)
end

-- The revision of preferences; 0 if there are none, nil if the text is unreadable.
local function preferences_revision(text)
  if text == '' then return 0 end
  local count, time, values = string.match(text, '^(%d+)@%-?([0-9a-z]+)(.*)$')
  if not count or #count > PREFERENCES_WIDTH or #time > GENERATION_WIDTH then return nil end
  values = string.match(values, '^[MN]?(.*)$')
  local muted, rest = string.match(values, '^U([0-9a-z]+)(.*)$')
  if muted and #muted > MUTED_WIDTH then return nil end
  local archived = string.match(rest or values, '^H?(.*)$')
  local is_sound = archived == '' or archived == 'Z'
    or string.sub(archived, 1, 1) == 'A' and is_position(string.sub(archived, 2))
  return is_sound and tonumber(count) or nil
end

-- The parts of a membership; nil if the text is unreadable, such as that of another version. It counts as missing.
local function decode(text)
  text = plain(text)
  local rest = string.match(text, GENERATION_PATTERN)
  if not rest then return nil end
  local registers, preferences = string.match(rest, '^([^;]*);?(.*)$')
  local parts = { string.sub(text, 1, GENERATION_WIDTH) }
  for part in string.gmatch(registers .. '|', '([^|]*)|') do parts[#parts + 1] = part end
  local found = #parts
  if found < JOINED or found > DELIVERED then return nil end
  for index = found + 1, DELIVERED do parts[index] = parts[index - 1] end
  if parts[JOINED] == '-' then return rest == '-' and parts or nil end
  parts[PREFERENCES] = preferences
  local is_sound = is_position(parts[JOINED]) and is_own_register(parts[SELF])
    and is_register(parts[PUBLIC]) and is_register(parts[DELIVERED]) and preferences_revision(preferences) ~= nil
  return is_sound and parts or nil
end

local function encode(parts)
  local last = DELIVERED
  while last > JOINED and parts[last] == parts[last - 1] do last = last - 1 end
  local preferences = parts[PREFERENCES] == '' and '' or ';' .. parts[PREFERENCES]
  return parts[GENERATION] .. table.concat(parts, '|', JOINED, last) .. preferences
end

local function is_departed(parts) return parts[JOINED] == '-' end

local function position_of(register) return string.sub(register, 1, POSITION_WIDTH) end

local function own_of(register)
  local revision, rest = string.match(register, '^([%d^]+)~(.+)$')
  if not revision then return 0, position_of(register) end
  local count, first = string.match(revision, '^(%d+)%^?(%d*)$')
  return tonumber(count) + (tonumber(first) or 0), position_of(rest)
end

local function larger(current, other)
  if position_of(other) > position_of(current) then return other end
  return current
end

local function larger_own(current, other)
  local current_revision, current_position = own_of(current)
  local other_revision, other_position = own_of(other)
  if other_revision ~= current_revision then
    return other_revision > current_revision and other or current
  end
  return other_position > current_position and other or current
end

local function later_preferences(current, other)
  return preferences_revision(other) > preferences_revision(current) and other or current
end

-- The larger of each register. An unreadable text loses.
local function merge(current, other)
  local a, b = decode(current), decode(other)
  if not a then return other end
  if not b then return current end
  if a[GENERATION] ~= b[GENERATION] then return a[GENERATION] > b[GENERATION] and current or other end
  if is_departed(a) then return current end
  if is_departed(b) then return other end
  return encode({
    a[GENERATION],
    larger(a[JOINED], b[JOINED]),
    larger_own(a[SELF], b[SELF]),
    larger(a[PUBLIC], b[PUBLIC]),
    larger(a[DELIVERED], b[DELIVERED]),
    later_preferences(a[PREFERENCES], b[PREFERENCES]),
  })
end
