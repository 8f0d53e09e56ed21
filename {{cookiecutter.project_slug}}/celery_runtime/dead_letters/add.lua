-- Stores a dead letter, and trims those that are too old or too many. Returns 0 where an older one stays.
-- KEYS[1]  hash        dead-letters          id → member, line feed, the entry as JSON
-- KEYS[2]  sorted set  dead-letters:by-time  member (kind, tab, task, tab, id), by the last failure
local id, member, value, score, keep_existing, eldest, maximum = unpack(ARGV)

local function forget(one)
    redis.call('ZREM', KEYS[2], one)
    -- An id may be any text, with tabs and line feeds in it.
    redis.call('HDEL', KEYS[1], string.match(one, '^[^\t]*\t[^\t]*\t(.*)$'))
end

local old = redis.call('HGET', KEYS[1], id)
if old then
    if keep_existing == '1' then return 0 end
    redis.call('ZREM', KEYS[2], string.match(old, '^(.*)\n'))
end
redis.call('HSET', KEYS[1], id, value)
redis.call('ZADD', KEYS[2], score, member)
for _, one in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. eldest, 'LIMIT', 0, 1000)) do
    forget(one)
end
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(maximum)
if surplus > 0 then
    for _, one in ipairs(redis.call('ZRANGE', KEYS[2], 0, math.min(surplus, 1000) - 1)) do forget(one) end
end
return 1
