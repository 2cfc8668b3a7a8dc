-- Acquire: a new lease, or the same one prolonged. A token is at least the time, so that it grows even over a Redis that
-- lost its memory.
local owner, ttl = arg(), num()
local at = clock()
local l = worked(lane())
if alive(l, at) and l.owner ~= owner then return {'HELD', l.owner} end
never_refused(l)
if not alive(l, at) then
  hand_over(l)
  l.step = 0
  save(l)
  l.token = integer(math.max(tonumber(l.token or 0) + 1, at))
end
redis.call('HSET', l.key, 'owner', owner, 'token', l.token, 'till', integer(at + ttl))
return {'OK', l.token}
