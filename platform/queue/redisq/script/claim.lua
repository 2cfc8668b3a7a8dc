-- Claim: first what came back, then what is new. The answer has the time until the next delayed entry is due (-1 for none),
-- the cursor, the lease's steps, and nine values for each entry.
local MOST_BYTES, MOST_DUE, CHUNK = 8 * 1024 * 1024, 1000, 16
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
  for _, v in ipairs({id, m[EVENTS], body, m[DELIVERIES], m[ATTEMPTS], m[REASON], m[PROGRESS], m[APPENDED], m[REPLAYS] or 0}) do
    out[#out + 1] = v
  end
  taken, bytes = taken + 1, bytes + #body
end

-- Many may be due at once after a pause; those that are left are taken with the next claim.
local due = redis.call('ZRANGEBYSCORE', l.waiting, '-inf', wall, 'LIMIT', 0, MOST_DUE)
for _, id in ipairs(due) do
  change()
  local m = meta(l, id)
  redis.call('ZREM', l.waiting, id)
  redis.call('ZADD', l.back, m[PLACE], id)
  move(l, 'delayed', 'ready', 1, m[EVENTS])
end

for _, id in ipairs(most > 0 and redis.call('ZRANGE', l.back, 0, most - 1) or {}) do
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
    give(f[2], {l.cursor, tonumber(f[4]), f[6], 0, tonumber(f[10] or 0), f[12] or '', '', tonumber(f[14] or 0), tonumber(f[16] or 0)}, f[8])
  end
end

if changed then
  stepped(l)
  save(l)
end
local nearest = redis.call('ZRANGE', l.waiting, 0, 0, 'WITHSCORES')
if nearest[2] then out[2] = integer(math.max(nearest[2] - wall, 0)) end
out[3], out[4] = integer(l.cursor), l.step
return out
