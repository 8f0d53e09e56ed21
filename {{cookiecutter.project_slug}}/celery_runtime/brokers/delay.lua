-- Stores a message until it is due. A message that a worker has is moved, unless it was redelivered meanwhile.
-- KEYS  `delayed` (sorted set by the time at which a message is due), `unacked` (hash), `unacked_index` (sorted set)
-- ARGV  the seconds until it is due; its delivery tag if a worker has it, else ''; then, for each queue, a member:
--       the list of the message and that of the tokens, with their prefix, and the message, each in lines of its own
-- The clock is the server's, so that the clocks of publishers and workers may differ.
if ARGV[2] ~= '' then
    if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then
        return
    end
    redis.call('ZREM', KEYS[3], ARGV[2])
end
local time = redis.call('TIME')
for i = 3, #ARGV do
    redis.call('ZADD', KEYS[1], time[1] + time[2] / 1e6 + ARGV[1], ARGV[i])
end
