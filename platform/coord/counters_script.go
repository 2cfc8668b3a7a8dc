package coord

// luaCounters names the keys and the forms of a counter: marked, n, start and expiry, in a window; and what is known
// of it in this call.
const luaCounters = `
local NUMBERS, NOTES, GROUPS, ENDS, BATCHES = unpack(KEYS)
local FORM = '>Bi8i8i8'
local ZEROS = string.rep('\0', 16)
local CHUNK = 1000

-- Redis searches a small hash from its start, unless it has a long field.
local LONG = string.rep('-', 65)

local function folded(key) return string.sub(key, 1, 16) .. ZEROS end
local function own(key) return string.sub(key, 17) ~= ZEROS end

-- inChunks calls a command with many arguments, at most CHUNK at a time, and gives all that was answered.
local function inChunks(command, key, args)
  local out = {}
  for i = 1, #args, CHUNK do
    local answer = redis.call(command, key, unpack(args, i, math.min(#args, i + CHUNK - 1)))
    if type(answer) == 'table' then
      for k = 1, #answer do out[i + k - 1] = answer[k] end
    end
  end
  return out
end
`

// luaCount is Counters.Incr. Arguments: the key of the counter of all; then for each batch a head (its name, expiry,
// bounds and number of adds) and for each of its adds the key with n and time, and the note. Like the store's counting it
// reads what the adds may need, works in memory, and writes what changed.
const luaCount = `
local MAX_BATCHES, MAX_PRUNED = 100000, 500
local ALL = ARGV[1] -- the counter of all groups

-- prune forgets some of the counters whose time is over.
local function prune()
  local over = redis.call('ZRANGEBYSCORE', ENDS, '-inf', whole(now), 'LIMIT', 0, MAX_PRUNED)
  if #over == 0 then return end
  inChunks('HDEL', NUMBERS, over)
  inChunks('HDEL', NOTES, over)
  inChunks('ZREM', ENDS, over)
  for i = 1, #over do
    local group = string.sub(over[i], 1, 16)
    if own(over[i]) and redis.call('HINCRBY', GROUPS, group, -1) <= 0 then redis.call('HDEL', GROUPS, group) end
  end
end

local rows, groups, total = {}, {}, 0 -- by key, by group, in all

-- find reads counters that were not looked for yet.
local function find(wanted)
  local keys = {}
  for i = 1, #wanted do
    if not rows[wanted[i]] then
      rows[wanted[i]] = {key = wanted[i], marked = 0, n = 0, start = 0, expiry = 0, note = '', exists = false, opened = false, changed = false}
      keys[#keys + 1] = wanted[i]
    end
  end
  local numbers, notes = inChunks('HMGET', NUMBERS, keys), inChunks('HMGET', NOTES, keys)
  for i = 1, #keys do
    if numbers[i] then
      local r = rows[keys[i]]
      r.marked, r.n, r.start, r.expiry = struct.unpack(FORM, numbers[i])
      r.note, r.exists = notes[i] or '', true
    end
  end
end

-- load reads the counters of all adds, and for those that have none what they may fold into and the bounds.
local function load(keys)
  find(keys)
  local names, others = {}, {ALL}
  for i = 1, #keys do
    if not rows[keys[i]].exists then
      local group = string.sub(keys[i], 1, 16)
      if not groups[group] then
        groups[group] = 0
        names[#names + 1] = group
        others[#others + 1] = folded(keys[i])
      end
    end
  end
  if #names == 0 then return end
  find(others)
  total = redis.call('HLEN', NUMBERS) - 1
  local numbers = inChunks('HMGET', GROUPS, names)
  for i = 1, #names do groups[names[i]] = tonumber(numbers[i] or 0) end
end

local changed, grown = {}, {}

-- increment adds n events, the first of which came at a time.
local function increment(r, n, at, note, expiry)
  if not r.exists or r.start + expiry <= at then
    r.marked, r.n, r.start, r.note, r.exists, r.opened = 0, 0, at, note, true, true
  end
  r.n = r.n + n
  if r.expiry ~= expiry then r.expiry, r.opened = expiry, true end
  if not r.changed then
    r.changed = true
    changed[#changed + 1] = r
  end
end

local function room(batch, group, level)
  if batch.maxTotal > 0 and total >= batch.maxTotal then return false end
  return level > 0 or batch.maxPerGroup <= 0 or groups[group] < batch.maxPerGroup
end

-- made notes that there is one more counter.
local function made(key)
  total = total + 1
  if own(key) then
    local group = string.sub(key, 1, 16)
    groups[group] = groups[group] + 1
    grown[group] = (grown[group] or 0) + 1
  end
end

-- home finds, or makes when fresh, the first counter that may count an add: its own, its group's, the one of all.
local function home(key, batch)
  local r = rows[key]
  if r.exists then return r, 0 end
  local homes, group = {key, folded(key), ALL}, string.sub(key, 1, 16)
  for level = 0, 2 do
    r = rows[homes[level + 1]]
    if r.exists then return r, level end
    if batch.fresh and (level == 2 or room(batch, group, level)) then
      made(r.key)
      return r, level
    end
  end
end

local function flush()
  local numbers, notes, ends = {}, {}, {}
  for i = 1, #changed do
    local r = changed[i]
    numbers[#numbers + 1] = r.key
    numbers[#numbers + 1] = struct.pack(FORM, r.marked, r.n, r.start, r.expiry)
    if r.opened then
      notes[#notes + 1] = r.key
      notes[#notes + 1] = r.note
      ends[#ends + 1] = whole(now + r.expiry)
      ends[#ends + 1] = r.key
    end
  end
  inChunks('HSET', NUMBERS, numbers)
  inChunks('HSET', NOTES, notes)
  inChunks('ZADD', ENDS, ends)
  for group, n in pairs(grown) do redis.call('HINCRBY', GROUPS, group, n) end
end

redis.call('HSETNX', NUMBERS, LONG, '')
redis.call('HSETNX', NOTES, LONG, '')
prune()
local batches, keys, at, longest = {}, {}, 2, 0
while at <= #ARGV do
  local batch, count = {from = at + 1}, 0
  batch.expiry, batch.maxPerGroup, batch.maxTotal, count = struct.unpack('>i8i8i8i8', ARGV[at], 17)
  batch.fresh = redis.call('ZADD', BATCHES, 'NX', whole(now), string.sub(ARGV[at], 1, 16)) == 1
  at = at + 1 + 2 * count
  for i = batch.from, at - 1, 2 do keys[#keys + 1] = string.sub(ARGV[i], 1, 32) end
  batch.to = at - 1
  batches[#batches + 1] = batch
  longest = math.max(longest, batch.expiry)
end
redis.call('ZREMRANGEBYRANK', BATCHES, 0, -(MAX_BATCHES + 1))
load(keys)
local out = {}
for _, batch in ipairs(batches) do
  for i = batch.from, batch.to, 2 do
    local r, level = home(keys[#out + 1], batch)
    if r then
      if batch.fresh then
        local n, first = struct.unpack('>i8i8', ARGV[i], 33)
        increment(r, n, first, ARGV[i + 1], batch.expiry)
      end
      out[#out + 1] = struct.pack('>BBi8i8', level, r.marked, r.n, r.start) .. r.note
    else
      out[#out + 1] = struct.pack('>BBi8i8', 3, 0, 0, 0)
    end
  end
end
flush()
for i = 1, #KEYS do keep(KEYS[i], math.ceil(longest / 1000) + 3600000) end
return out
`

// luaMark is Counters.Mark: each argument is a key and a start.
const luaMark = `
for i = 1, #ARGV do
  local key, start = string.sub(ARGV[i], 1, 32), struct.unpack('>i8', ARGV[i], 33)
  local stored = redis.call('HGET', NUMBERS, key)
  if stored then
    local _, n, began, expiry = struct.unpack(FORM, stored)
    if began == start then redis.call('HSET', NUMBERS, key, struct.pack(FORM, 1, n, began, expiry)) end
  end
end
return {}
`
