-- Renew: prolongs a lease that is alive.
local owner, token, ttl = arg(), arg(), num()
local at = clock()
local l = lane()
if not held(l, owner, token, at) then return {'LOST'} end
never_refused(l)
redis.call('HSET', l.key, 'till', integer(at + ttl))
return {'OK'}
