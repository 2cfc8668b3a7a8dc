package coord

import "github.com/redis/rueidis"

// scripts are the steps on Redis. Numbers stay below 2^53, which is where Lua counts exactly. Times are the server's,
// in microseconds, unless their name says otherwise.
type scripts struct{ take, get, put, lease, release, announce, members, count, mark *rueidis.Lua }

func newScripts() scripts {
	script := func(body string) *rueidis.Lua { return rueidis.NewLuaScript(luaCommon + body) }
	return scripts{
		take: script(luaTake), get: script(luaGet), put: script(luaPut),
		lease: script(luaLease), release: script(luaRelease),
		announce: script(luaGroup + luaAnnounce), members: script(luaGroup + luaMembers),
		count: script(luaCounters + luaCount), mark: script(luaCounters + luaMark),
	}
}

const luaCommon = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- whole is the text of an integer that tostring would round.
local function whole(n) return string.format('%.0f', n) end

-- keep lets a key live for at least this long.
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, whole(ms)) end
end
`

// luaTake keeps what was outstanding (ns) at a time. When the clock steps back nothing is paid, and nothing is stuck.
const luaTake = `
local cost, slack, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left, at = 0, now
local stored = redis.call('GET', KEYS[1])
if stored then
  left, at = string.match(stored, '(%d+) (%d+)')
  left, at = tonumber(left), tonumber(at)
end
left = math.max(0, left - math.max(0, now - at) * 1000)
local wait = left + cost - slack
local granted = wait <= ahead
if granted then left = left + cost end
if granted or now < at then
  redis.call('SET', KEYS[1], whole(left) .. ' ' .. whole(now), 'PX', whole(math.ceil(left / 1000000) + 1))
end
if granted then return {1, math.max(0, wait)} end
return {0, wait - ahead}
`

const luaGet = `
local v = redis.call('HMGET', KEYS[1], 'version', 'data')
if not v[1] then return {} end
return {v[1], v[2], redis.call('PTTL', KEYS[1])}
`

const luaPut = `
local version, ttl, data = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local present = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if present ~= version then return {0, present} end
local new = math.max(present + 1, now)
if not data then
  redis.call('DEL', KEYS[1])
  return {1, new}
end
redis.call('HSET', KEYS[1], 'version', whole(new), 'data', data)
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) else redis.call('PERSIST', KEYS[1]) end
return {1, new}
`

// luaLease keeps the last token for a month after the lease.
const luaLease = `
local owner, ttl, asked = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local l = redis.call('HMGET', KEYS[1], 'owner', 'token', 'ends')
local token, ends = tonumber(l[2] or 0), tonumber(l[3] or 0)
if now < ends then
  if l[1] ~= owner or asked ~= 0 and asked ~= token then return {0, 0, l[1], ends - now} end
elseif asked ~= 0 then
  return {0, 0, '', 0}
else
  token = math.max(token + 1, now)
end
redis.call('HSET', KEYS[1], 'owner', owner, 'token', whole(token), 'ends', whole(now + ttl))
redis.call('PEXPIRE', KEYS[1], whole(ttl / 1000 + 30 * 86400000))
return {1, token, owner, ttl}
`

const luaRelease = `
if tonumber(redis.call('HGET', KEYS[1], 'token') or 0) == tonumber(ARGV[1]) and tonumber(ARGV[1]) > 0 then
  redis.call('HSET', KEYS[1], 'ends', 0)
end
return {}
`

// luaGroup gives the living members (name, data, ...) and forgets the others. A member's value is the end of its time,
// a space and its data.
const luaGroup = `
local function living()
  local all, out = redis.call('HGETALL', KEYS[1]), {}
  for i = 1, #all, 2 do
    local ends, data = string.match(all[i + 1], '^(%d+) (.*)$')
    if tonumber(ends) <= now then
      redis.call('HDEL', KEYS[1], all[i])
    else
      out[#out + 1] = all[i]
      out[#out + 1] = data
    end
  end
  return out
end
`

const luaAnnounce = `
local member, ttl, data = ARGV[1], tonumber(ARGV[2]), ARGV[3]
living()
if not data then
  redis.call('HDEL', KEYS[1], member)
  return {}
end
redis.call('HSET', KEYS[1], member, whole(now + ttl * 1000) .. ' ' .. data)
keep(KEYS[1], ttl)
return {}
`

const luaMembers = `return living()`
