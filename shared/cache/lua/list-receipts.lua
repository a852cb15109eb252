-- Lists members of a message's audience, ordered by the position that they have reached, from sections of the index.
-- KEYS: members hash, receipts sorted set
-- ARGV: position of the message, its sender, 'from' or 'below' the message, entry to continue after ('' for the first
--   page), members wanted, most members to read, then the sections
-- Reply: false if there is no readable index; else for each section { last entry read, or false if it was read to its
--   end, entry, membership text, entry, membership text, ... }, in order. An entry is <position>|<user>.
-- Invariant: changes nothing, except that an index with an unreadable entry is deleted.

local members, receipts = KEYS[1], KEYS[2]
local position, sender, side, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local wanted, most_read = tonumber(ARGV[5]), tonumber(ARGV[6])

if not is_indexed(members, receipts) then return false end

-- The list of one section; nil if an entry or the text of its member is unreadable.
local function list(section)
  local start = after ~= '' and '(' .. section .. after or '[' .. section .. (side == 'from' and position or '')
  local stop = '(' .. section .. (side == 'from' and '4' or position)
  local found, read = { false }, 0
  while true do
    local range = redis.call('ZRANGEBYLEX', receipts, start, stop, 'LIMIT', 0, wanted)
    for _, entry in ipairs(range) do
      start = '(' .. entry
      read = read + 1
      local at, user = string.match(entry, '^.(%w+)|(.+)$')
      local text = at and is_position(at) and redis.call('HGET', members, user)
      local parts = text and decode(text)
      if not parts then return nil end
      if user ~= sender and parts[JOINED] < position then
        found[#found + 1] = string.sub(entry, 2)
        found[#found + 1] = plain(text)
      end
      if #found > 2 * wanted or read >= most_read then
        found[1] = string.sub(entry, 2)
        return found
      end
    end
    if #range < wanted then return found end
  end
end

local lists = {}
for index = 7, #ARGV do
  local found = list(ARGV[index])
  if not found then return drop_index(receipts) end
  lists[#lists + 1] = found
end
return lists
