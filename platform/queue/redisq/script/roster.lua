-- Roster: keeps a consumer of a queue on the roster, or takes it off, and gives all who are on it, by the time of joining.
-- A member is stored as the end of its time, when it joined, and what it holds.
local name, holds, ttl = arg(), arg(), num()
local at, roster = clock(), key()
redis.call('HDEL', roster, '') -- a first write that no memory limit refuses, see never_refused

local members, joined = {}, at
local stored = redis.call('HGETALL', roster)
for i = 1, #stored, 2 do
  local till, since, held = string.match(stored[i + 1], '^(%d+) (%d+) (.*)$')
  if tonumber(till) <= at then
    redis.call('HDEL', roster, stored[i])
  elseif stored[i] == name then
    joined = tonumber(since)
  else
    members[#members + 1] = {name = stored[i], since = tonumber(since), holds = held}
  end
end
if ttl > 0 then
  redis.call('HSET', roster, name, integer(at + ttl) .. ' ' .. integer(joined) .. ' ' .. holds)
  members[#members + 1] = {name = name, since = joined, holds = holds}
else
  redis.call('HDEL', roster, name)
end
table.sort(members, function(a, b)
  if a.since ~= b.since then return a.since < b.since end
  return a.name < b.name
end)

local out = {'OK'}
for _, m in ipairs(members) do
  out[#out + 1] = m.name
  out[#out + 1] = m.holds
end
return out
