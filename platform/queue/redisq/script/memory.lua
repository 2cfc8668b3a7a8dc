-- Memory: how much this node uses, and how much it may, as Redis compares them; buffers of replicas and of the file do not count.
local info = redis.call('INFO', 'memory')
local function field(name) return tonumber(string.match(info, name .. ':(%d+)') or 0) end
return {field('used_memory') - field('mem_not_counted_for_evict'), field('maxmemory')}
