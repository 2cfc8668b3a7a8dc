-- Stored: which entries are not acknowledged. The ids of those that are stay for a while, with the time as their score.
local ids = key()
local out = {'OK'}
for _ = 1, num() do
  local id = arg()
  if redis.call('ZSCORE', ids, id) == 'inf' then out[#out + 1] = id end
end
return out
