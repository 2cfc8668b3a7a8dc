-- Append: all entries that are not known yet, or nothing.
local at, cap, elsewhere, cap_bytes, elsewhere_bytes, room = arg(), num(), num(), num(), num(), num()
local low, high, mark_life = num(), num(), arg()
local l, minutes, mark = lane(), key(), key()

-- The process left its mark with the last append. A lower one is of a Redis that came back older.
if low > 0 then
  local found = tonumber(redis.call('GET', mark) or 0)
  if found < low then return {'BACK', found} end
end

local entries, events, bytes, seen, repeated = {}, 0, 0, {}, false
for _ = 1, num() do
  local e = {id = arg(), events = num(), size = num(), body = arg(), keys = {}}
  for k = 1, num() do e.keys[k] = {index = arg(), key = key()} end
  if seen[e.id] or known(l, e.id) then
    repeated = true
  else
    seen[e.id] = true
    events = events + e.events
    bytes = bytes + e.size
    entries[#entries + 1] = e
  end
end

local live = l.ready_events + l.claimed_events + l.delayed_events + elsewhere
if cap > 0 and #entries > 0 and live + events > cap then return {'FULL', live, events} end
local held = l.bytes + elsewhere_bytes
if cap_bytes > 0 and #entries > 0 and held + bytes > cap_bytes then return {'LARGE', held, bytes} end

if room == 0 and #entries > 0 then return {'RESERVE'} end -- a repeat of what is stored is none of it

-- A sender's key is remembered with the time, the entry and the index. The same again is no repeat of an event.
local wall, taken
for _, e in ipairs(entries) do
  local repeats = {'REPEAT', e.id}
  for _, k in ipairs(e.keys) do
    if not wall then
      local _; _, wall = clock()
      taken = {}
    end
    k.own = e.id .. k.index
    local v = taken[k.key] or redis.call('GET', k.key)
    local cut = v and string.find(v, ' ', 1, true)
    if v and tonumber(string.sub(v, 1, cut - 1)) + KEY_LIFE > wall and string.sub(v, cut + 1) ~= k.own then
      repeats[#repeats + 1] = k.index
    else
      taken[k.key] = integer(wall) .. ' ' .. k.own
    end
  end
  if #repeats > 2 then return repeats end
end

for _, e in ipairs(entries) do
  for _, k in ipairs(e.keys) do redis.call('SET', k.key, taken[k.key], 'PX', KEY_LIFE / 1000) end
  store(l, e.id, e.events, at, e.size, e.body)
end
if #entries > 0 then save(l) end
if high > 0 then redis.call('SET', mark, high, 'PX', mark_life) end
if not repeated then
  for _ = 1, num() do count(minutes) end
end
return {'OK'}
