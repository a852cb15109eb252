-- The text of a membership: generation and joinedAfter, then |self|public|delivered, where trailing parts that repeat
-- the part before them are left out. A register is a position, `@` and a time (since the generation began) once it has
-- moved; `self` begins with its revision and `~` where that is not 0. A departure is the generation and `-`.
-- Positions and generations have a fixed width, in base 36, and are compared as text.

local GENERATION, JOINED, SELF, PUBLIC, DELIVERED = 1, 2, 3, 4, 5
local GENERATION_WIDTH, POSITION_WIDTH = 9, 13

local function decode(text)
  local parts = { string.sub(text, 1, GENERATION_WIDTH) }
  for part in string.gmatch(string.sub(text, GENERATION_WIDTH + 1), '[^|]+') do parts[#parts + 1] = part end
  for index = #parts + 1, DELIVERED do parts[index] = parts[index - 1] end
  return parts
end

local function encode(parts)
  local last = DELIVERED
  while last > JOINED and parts[last] == parts[last - 1] do last = last - 1 end
  return parts[GENERATION] .. table.concat(parts, '|', JOINED, last)
end

local function is_departed(parts) return parts[JOINED] == '-' end

local function position_of(register) return string.sub(register, 1, POSITION_WIDTH) end

local function own_of(register)
  local revision, rest = string.match(register, '^(%d+)~(.+)$')
  if revision then return tonumber(revision), position_of(rest) end
  return 0, position_of(register)
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

-- The larger of each register: commutative, associative, idempotent.
local function merge(current, other)
  local a, b = decode(current), decode(other)
  if a[GENERATION] ~= b[GENERATION] then return a[GENERATION] > b[GENERATION] and current or other end
  if is_departed(a) then return current end
  if is_departed(b) then return other end
  return encode({
    a[GENERATION],
    larger(a[JOINED], b[JOINED]),
    larger_own(a[SELF], b[SELF]),
    larger(a[PUBLIC], b[PUBLIC]),
    larger(a[DELIVERED], b[DELIVERED]),
  })
end
