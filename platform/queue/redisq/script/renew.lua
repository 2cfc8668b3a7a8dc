-- Renew: prolongs a lease that is alive.
local by, ttl = holder(), num()
local at = clock()
local l = lane()
if not held(l, by, at) then return {'LOST'} end
never_refused(l)
redis.call('HSET', l.key, 'till', integer(at + ttl))
return {'OK'}
