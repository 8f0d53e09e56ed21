-- Removes a dead letter, and pushes the messages of its task. Returns 0, and does neither, where it changed.
-- KEYS[1]   hash        dead-letters          id → member, line feed, the entry as JSON
-- KEYS[2]   sorted set  dead-letters:by-time  member (kind, tab, task, tab, id), by the last failure
-- KEYS[3…]  lists       those of queues, by priority; ARGV[i] is pushed into KEYS[i]
local id, value = ARGV[1], ARGV[2]

if redis.call('HGET', KEYS[1], id) ~= value then return 0 end
for i = 3, #KEYS do redis.call('LPUSH', KEYS[i], ARGV[i]) end
redis.call('ZREM', KEYS[2], string.match(value, '^(.*)\n'))
redis.call('HDEL', KEYS[1], id)
return 1
