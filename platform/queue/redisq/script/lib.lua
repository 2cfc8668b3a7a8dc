-- The words that all scripts share; it stands before each of them. Keys and arguments are read one after the other,
-- in the order in which the Go code gives them.
--
-- A lane is one queue of one partition. Its entries stand in a stream under ids N-0, where N is the entry's place: 1, 2, 3...
-- Places up to the lane's cursor were claimed at least once; each of these entries is in exactly one of the sorted sets
-- claimed, back (to be claimed again, by place) and delayed (by the time when it is due), and has a note in meta.
-- All times are in microseconds.

local MEMORY_TIME, MEMORY_COUNT = 15 * 60 * 1000000, 65536
local KEY_LIFE = 24 * 60 * 60 * 1000000

local key_at, arg_at = 0, 0
local function key() key_at = key_at + 1; return KEYS[key_at] end
local function arg() arg_at = arg_at + 1; return ARGV[arg_at] end
local function num() return tonumber(arg()) end
local function integer(n) return string.format('%.0f', n) end -- tostring keeps 14 digits only

-- clock gives Redis's time, for leases and for everything else; the two shifts are 0 but in tests.
local lease_shift, wall_shift = num(), num()
local function clock()
  local t = redis.call('TIME')
  local us = t[1] * 1000000 + t[2]
  return us + lease_shift, us + wall_shift
end

-- Redis over its memory limit refuses a script at its first write, if that is one that could grow. What works the queue off
-- must go on then, so it begins with a write that cannot.
local function never_refused(l) redis.call('HDEL', l.key, '') end

local STATE = {'owner', 'token', 'till', 'last', 'cursor', 'ready', 'ready_events', 'claimed', 'claimed_events',
  'delayed', 'delayed_events', 'step', 'bytes', 'sized'}
local TALLY = 4 -- from here on they are numbers, which save keeps

-- bytes is the size of the entries of a lane, sized how many entries that are. Processes of an earlier version count neither: what
-- they append has no size, and what they settle of the others leaves too many sized ones, whose average is then the best guess.
local function reckon(l)
  local live = l.ready + l.claimed + l.delayed
  if l.sized > live then
    l.bytes = math.floor(l.bytes * live / l.sized)
    l.sized = live
  end
end
local function lighten(l, size)
  if size > 0 then
    l.sized = l.sized - 1
    l.bytes = l.sized > 0 and math.max(l.bytes - size, 0) or 0
  end
end

local function lane()
  local l = {key = key(), stream = key(), ids = key(), letters = key(), dead = key(), was = {}}
  local v = redis.call('HMGET', l.key, unpack(STATE))
  for i = 1, #STATE do
    local name = STATE[i]
    if i < TALLY then l[name] = v[i] else l[name] = tonumber(v[i] or 0) end -- false for none
    l.was[i] = l[name]
  end
  reckon(l)
  return l
end

-- worked adds the keys that only holders touch.
local function worked(l)
  l.meta, l.in_hand, l.back, l.waiting = key(), key(), key(), key()
  return l
end

-- save writes the numbers that changed.
local function save(l)
  local fields = {}
  for i = TALLY, #STATE do
    local n = l[STATE[i]]
    if n ~= l.was[i] then
      fields[#fields + 1] = STATE[i]
      fields[#fields + 1] = n
    end
  end
  if #fields > 0 then redis.call('HSET', l.key, unpack(fields)) end
end

-- move counts entries from one state to another; nil is outside.
local function move(l, from, to, entries, events)
  if from then
    l[from] = l[from] - entries
    l[from .. '_events'] = l[from .. '_events'] - events
  end
  if to then
    l[to] = l[to] + entries
    l[to .. '_events'] = l[to .. '_events'] + events
  end
end

local function alive(l, at) return l.owner and at < tonumber(l.till) end

-- A holder says which lease it has and which of its steps was done last, as far as it was told. Each claim, settlement and
-- release is a step; a lease with fewer of them is that of a Redis that came back older, and is lost: what its holder
-- believes to have or to have settled is not so.
local function holder() return {owner = arg(), token = arg(), step = num()} end
local function held(l, by, at)
  return l.owner == by.owner and l.token == by.token and alive(l, at) and l.step >= by.step
end
local function stepped(l) l.step = l.step + 1 end

-- hand_over gives back what a holder had claimed.
local function hand_over(l)
  if l.claimed > 0 then
    redis.call('ZUNIONSTORE', l.back, 2, l.back, l.in_hand)
    redis.call('DEL', l.in_hand)
    move(l, 'claimed', 'ready', l.claimed, l.claimed_events)
  end
end

-- Notes on an entry that was claimed before. Its events are those that are not settled yet.
local PLACE, EVENTS, APPENDED, DELIVERIES, ATTEMPTS, REASON, PROGRESS, REPLAYS, SIZE = 1, 2, 3, 4, 5, 6, 7, 8, 9
local function meta(l, id) return cmsgpack.unpack(redis.call('HGET', l.meta, id)) end
local function note(l, id, m) redis.call('HSET', l.meta, id, cmsgpack.pack(m)) end

-- size_at returns the size of the entry at a place, 0 for one without.
local function size_at(l, place) return tonumber(redis.call('XRANGE', l.stream, place, place)[1][2][16] or 0) end

-- known tells whether an entry is stored, or was a short time ago.
local function known(l, id) return redis.call('ZSCORE', l.ids, id) end

-- store puts an entry at the end. attempts, reason and replays are those of a dead letter, or nil. All entries have the same
-- fields in the same order, which a stream stores once; a process of an earlier version passes over the last one.
local function store(l, id, events, at, size, body, attempts, reason, replays)
  l.last = l.last + 1
  redis.call('XADD', l.stream, l.last .. '-0', 'i', id, 'n', events, 't', at, 'b', body,
    'a', attempts or 0, 'r', reason or '', 'p', replays or 0, 's', size)
  l.bytes, l.sized = l.bytes + size, l.sized + 1
  redis.call('ZADD', l.ids, 'inf', id)
  move(l, nil, 'ready', 1, events)
end

-- remember keeps the id of what is gone; forget drops the oldest of these when they are old or many.
local function remember(l, id, at) redis.call('ZADD', l.ids, at, id) end
local function forget(l, at)
  local gone = redis.call('ZCARD', l.ids) - l.ready - l.claimed - l.delayed
  local old = redis.call('ZCOUNT', l.ids, '-inf', at - MEMORY_TIME)
  local n = math.max(math.min(old, 1000), gone - MEMORY_COUNT)
  if n > 0 then redis.call('ZREMRANGEBYRANK', l.ids, 0, n - 1) end
end

-- count adds to a counter; times is for those whose number only the script knows.
local function count(minutes, times)
  local counters, minute, field, n = key(), arg(), arg(), num()
  n = n * (times or 1)
  if n ~= 0 then
    redis.call('HINCRBY', counters, field, n)
    redis.call('ZADD', minutes, minute, minute)
  end
end
