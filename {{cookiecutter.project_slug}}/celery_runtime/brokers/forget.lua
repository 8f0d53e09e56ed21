-- Forgets that an item which was rejected is unacked.
-- KEYS  `unacked` (hash), `unacked_index` (sorted set)
-- ARGV  the item, which may be anything
pcall(function()
    local tag = cjson.decode(ARGV[1]).properties.delivery_tag
    redis.call('ZREM', KEYS[2], tag)
    redis.call('HDEL', KEYS[1], tag)
end)
