-- Depth: what a lane holds. The oldest entry is the first by place of those that are claimed or ready.
local at = clock()
local l = worked(lane())
local function first(set)
  local v = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  return v[1], tonumber(v[2] or 'inf')
end
local oldest = '0'
local claimed, c = first(l.in_hand)
local back, b = first(l.back)
if claimed or back then
  oldest = meta(l, c < b and claimed or back)[APPENDED]
elseif l.ready > 0 then
  oldest = redis.call('XRANGE', l.stream, l.cursor + 1, '+', 'COUNT', 1)[1][2][6]
end
return {'OK', l.ready_events, l.claimed_events, l.delayed_events, redis.call('ZCARD', l.dead),
  l.ready + l.claimed + l.delayed, alive(l, at) and 1 or 0, oldest, l.bytes}
