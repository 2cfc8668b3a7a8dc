-- Settle: everything that a holder does to its entries, or nothing.
local by, op, stamp = holder(), arg(), arg()
local at, wall = clock()
local l = worked(lane())
if not held(l, by, at) then return {'LOST'} end
if op ~= '' and known(l, op) then return {'OK'} end
local lanes, minutes = {l, lane()}, key()

local function read(want)
  local all = {}
  for i = 1, num() do all[i] = {id = arg(), note = want and arg(), left = want and num()} end
  return all
end
local noted, acked = read(true), read(false)
local once = {}
for _, e in ipairs(noted) do
  if not redis.call('ZSCORE', l.in_hand, e.id) then return {'STALE', e.id} end
end
for _, e in ipairs(acked) do
  if once[e.id] or not redis.call('ZSCORE', l.in_hand, e.id) then return {'STALE', e.id} end
  once[e.id] = true
end

never_refused(l)
for _, e in ipairs(noted) do
  local m = meta(l, e.id)
  m[PROGRESS] = e.note
  if e.left > 0 then
    move(l, 'claimed', nil, 0, m[EVENTS] - e.left)
    m[EVENTS] = e.left
  end
  note(l, e.id, m)
end
for _, e in ipairs(acked) do
  local m = meta(l, e.id)
  lighten(l, m[SIZE] or size_at(l, m[PLACE]))
  redis.call('XDEL', l.stream, m[PLACE])
  redis.call('HDEL', l.meta, e.id)
  redis.call('ZREM', l.in_hand, e.id)
  move(l, 'claimed', nil, 1, m[EVENTS])
end
for _ = 1, num() do -- published
  local to, id, events, size, body = lanes[num()], arg(), num(), num(), arg()
  local moved = to == l and once[id] -- acked and published: stored anew, at the end
  if moved or not known(to, id) then
    store(to, id, events, stamp, size, body)
    if moved then once[id] = nil end
  end
end
for _ = 1, num() do -- dead
  local to, id, letter = lanes[num()], arg(), arg()
  if redis.call('HSETNX', to.letters, id, letter) == 1 then redis.call('ZADD', to.dead, 0, id) end
end
for _ = 1, num() do count(minutes) end
for id in pairs(once) do remember(l, id, wall) end
if op ~= '' then remember(l, op, wall) end
forget(l, wall)
stepped(l)
for _, each in ipairs(lanes) do save(each) end
return {'OK', l.step}
