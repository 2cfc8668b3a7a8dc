-- Claim: first what came back, then what is new. The answer has the time until the next delayed entry is due (-1 for none),
-- the cursor, the lease's steps, and eight values for each entry.
local MOST_BYTES, CHUNK = 8 * 1024 * 1024, 16
local by, most = holder(), num()
local at, wall = clock()
local l = worked(lane())
if not held(l, by, at) then return {'LOST'} end

local out, taken, bytes, changed = {'OK', '-1', '', 0}, 0, 0, false
local function change()
  if not changed then never_refused(l) end
  changed = true
end

local function give(id, m, body)
  m[DELIVERIES] = m[DELIVERIES] + 1
  note(l, id, m)
  redis.call('ZADD', l.in_hand, m[PLACE], id)
  move(l, 'ready', 'claimed', 1, m[EVENTS])
  for _, v in ipairs({id, m[EVENTS], body, m[DELIVERIES], m[ATTEMPTS], m[REASON], m[PROGRESS], m[APPENDED]}) do
    out[#out + 1] = v
  end
  taken, bytes = taken + 1, bytes + #body
end

local due = redis.call('ZRANGEBYSCORE', l.waiting, '-inf', wall)
if #due > 0 then
  change()
  for _, id in ipairs(due) do
    local m = meta(l, id)
    redis.call('ZADD', l.back, m[PLACE], id)
    move(l, 'delayed', 'ready', 1, m[EVENTS])
  end
  redis.call('ZREMRANGEBYSCORE', l.waiting, '-inf', wall)
end

for _, id in ipairs(redis.call('ZRANGE', l.back, 0, most - 1)) do
  if bytes >= MOST_BYTES then break end
  change()
  redis.call('ZREM', l.back, id)
  local m = meta(l, id)
  give(id, m, redis.call('XRANGE', l.stream, m[PLACE], m[PLACE])[1][2][8])
end

while taken < most and bytes < MOST_BYTES and l.cursor < l.last do
  local new = redis.call('XRANGE', l.stream, l.cursor + 1, '+', 'COUNT', math.min(CHUNK, most - taken))
  if #new == 0 then break end
  change()
  for _, e in ipairs(new) do
    local f = e[2]
    l.cursor = tonumber(string.match(e[1], '%d+'))
    give(f[2], {l.cursor, tonumber(f[4]), f[6], 0, tonumber(f[10] or 0), f[12] or '', ''}, f[8])
  end
end

if changed then
  stepped(l)
  save(l)
end
local nearest = redis.call('ZRANGE', l.waiting, 0, 0, 'WITHSCORES')
if nearest[2] then out[2] = integer(nearest[2] - wall) end
out[3], out[4] = integer(l.cursor), l.step
return out
