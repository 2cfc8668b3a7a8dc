-- Release: gives claimed entries back, all or none.
local by, delay, reason, attempt = holder(), num(), arg(), num()
local at, wall = clock()
local l = worked(lane())
if not held(l, by, at) then return {'LOST'} end
local ids, once = {}, {}
for i = 1, num() do
  local id = arg()
  if once[id] or not redis.call('ZSCORE', l.in_hand, id) then return {'STALE', id} end
  ids[i], once[id] = id, true
end
never_refused(l)
for _, id in ipairs(ids) do
  local m = meta(l, id)
  m[REASON], m[ATTEMPTS] = reason, m[ATTEMPTS] + attempt
  note(l, id, m)
  redis.call('ZREM', l.in_hand, id)
  if delay > 0 then
    redis.call('ZADD', l.waiting, wall + delay, id)
    move(l, 'claimed', 'delayed', 1, m[EVENTS])
  else
    redis.call('ZADD', l.back, m[PLACE], id)
    move(l, 'claimed', 'ready', 1, m[EVENTS])
  end
end
stepped(l)
save(l)
return {'OK', l.step}
