-- Purge: deletes the counters of minutes.
local minutes = key()
for _ = 1, num() do
  redis.call('DEL', key())
  redis.call('ZREM', minutes, arg())
end
return {'OK'}
