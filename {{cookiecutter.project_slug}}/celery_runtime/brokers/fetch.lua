-- Takes the most urgent message and records it as unacked, in one step.
-- KEYS  the lists of the queues, the most urgent first; then `unacked` (hash) and `unacked_index` (sorted set)
-- ARGV  the time of delivery, in seconds since the epoch
-- Returns {list .. 'n' | '-', item}; nil if all are empty. '-' is for an item that was not recorded: it is no message,
-- or has bytes above ASCII, and is left to Python, which checks that it is UTF-8.
local unacked, index = KEYS[#KEYS - 1], KEYS[#KEYS]
for i = 1, #KEYS - 2 do
    local item = redis.call('RPOP', KEYS[i])
    if item then
        local recorded = pcall(function()
            local properties = cjson.decode(item).properties
            local tag, route = properties.delivery_tag, properties.delivery_info
            assert(type(tag) == 'string' and not item:find('[\128-\255]'))
            local origin = cjson.encode(route.exchange) .. ',' .. cjson.encode(route.routing_key)
            redis.call('HSET', unacked, tag, '[' .. item .. ',' .. origin .. ']')
            redis.call('ZADD', index, ARGV[1], tag)
        end)
        return {KEYS[i] .. (recorded and 'n' or '-'), item}
    end
end
return false
