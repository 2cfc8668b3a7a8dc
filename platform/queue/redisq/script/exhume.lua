-- Exhume: takes dead letters out, and with revive appends them as new entries.
local revive, stamp = arg() == 'revive', arg()
local l, minutes = lane(), key()
local n = 0
for _ = 1, num() do
  local id = arg()
  local new, attempts, replays, reason, size, body
  if revive then new, attempts, replays, reason, size, body = arg(), num(), num(), arg(), num(), arg() end
  if redis.call('ZREM', l.dead, id) == 1 then
    redis.call('HDEL', l.letters, id)
    if revive then store(l, new, 1, stamp, size, body, attempts, reason, replays) end
    n = n + 1
  end
end
if n > 0 then
  save(l)
  for _ = 1, num() do count(minutes, n) end
end
return {'OK', n}
