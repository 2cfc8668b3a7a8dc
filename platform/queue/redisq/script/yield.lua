-- Yield: ends a lease and gives back what it had claimed.
local by = holder()
local at = clock()
local l = worked(lane())
if held(l, by, at) then
  redis.call('HDEL', l.key, 'owner')
  hand_over(l)
  save(l)
end
return {'OK'}
