-- Puts what has become due into its list; then takes the most urgent message and records it as unacked, in one step.
-- KEYS  the lists of the queues, the most urgent first; then `delayed` (sorted set; its members: delay.lua), `unacked`
--       (hash) and `unacked_index` (sorted set)
-- ARGV  how many tokens a list holds at most, and for how many milliseconds it is kept
-- Returns {list .. 'n' | '-', item}. '-' is for an item that was not recorded: it is no message, or has bytes above
-- ASCII, and is left to Python, which checks that it is UTF-8. If all lists are empty, it returns the milliseconds
-- until the next message is due; nil if none waits.
local delayed, unacked, index = KEYS[#KEYS - 2], KEYS[#KEYS - 1], KEYS[#KEYS]
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 1000)) do
    local list, tokens, item = member:match('^(.-)\n(.-)\n(.*)$')
    redis.call('LPUSH', list, item)
    redis.call('LPUSH', tokens, '')
    redis.call('LTRIM', tokens, 0, ARGV[1] - 1)
    redis.call('PEXPIRE', tokens, ARGV[2])
    redis.call('ZREM', delayed, member)
end
for i = 1, #KEYS - 3 do
    local item = redis.call('RPOP', KEYS[i])
    if item then
        local recorded = pcall(function()
            local properties = cjson.decode(item).properties
            local tag, route = properties.delivery_tag, properties.delivery_info
            assert(type(tag) == 'string' and not item:find('[\128-\255]'))
            local origin = cjson.encode(route.exchange) .. ',' .. cjson.encode(route.routing_key)
            redis.call('HSET', unacked, tag, '[' .. item .. ',' .. origin .. ']')
            redis.call('ZADD', index, now, tag)
        end)
        return {KEYS[i] .. (recorded and 'n' or '-'), item}
    end
end
local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
return due and math.max(math.ceil((due - now) * 1000), 0)
