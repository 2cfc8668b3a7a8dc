-- Dead: a page of dead letters, by id. Ids have the same length, so that the set of equal scores is in their order.
local after, limit = arg(), arg()
local l = lane()
local ids = redis.call('ZRANGEBYLEX', l.dead, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, limit)
local out = {'OK'}
for _, id in ipairs(ids) do
  out[#out + 1] = id
  out[#out + 1] = redis.call('HGET', l.letters, id)
end
return out
