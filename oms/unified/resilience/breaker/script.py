"""The one Lua script of all breakers in Redis: every decision is made there, by the server's clock, in one step.

Keys: the breaker's hash (state, generation, end of the open time, successes), its probes (token to end of the lease) and its window
(calls by tenth). Each answer is [state, generation, ms left open, admitted, ms until a permit].

A move begins a new generation and is published. What comes with another generation than the present one is dropped. The first one is 0, later
ones are the server's time in ms, so that they grow even when the keys were lost; an unknown breaker has the generation of who asks. Nothing
stays for ever: each write renews the keys' expiry.
"""

SCRIPT = """
local breaker, probes, window = KEYS[1], KEYS[2], KEYS[3]
local operation, channel, name = ARGV[1], ARGV[2], ARGV[3]
local threshold, ratio, window_ms, open_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local permits, needed, lease_ms = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local generation, first, second = tonumber(ARGV[11]), ARGV[12], ARGV[13]

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored = redis.call('HMGET', breaker, 'state', 'generation', 'until')
local state, present, ends = stored[1] or 'closed', tonumber(stored[2] or generation), tonumber(stored[3] or 0)

local function text(number) return string.format('%.0f', number) end
local function left() if state == 'open' then return math.max(0, ends - now) else return 0 end end
local function keep()
  local ttl = text(open_ms + window_ms + lease_ms + 600000 + left())
  redis.call('PEXPIRE', breaker, ttl)
  redis.call('PEXPIRE', probes, ttl)
  redis.call('PEXPIRE', window, ttl)
end
local function store() redis.call('HSET', breaker, 'state', state, 'generation', text(present), 'until', text(ends)) end
local function move(to, open_for)
  state, ends = to, now + (open_for or 0)
  present = math.max(present + 1, now)
  store()
  redis.call('HSET', breaker, 'successes', 0)
  redis.call('DEL', probes, window)
  redis.call('PUBLISH', channel, cjson.encode({name, state, text(present), text(left())}))
  keep()
end

local admitted, wait = 0, 0
if operation == 'acquire' then
  if state == 'open' and now >= ends then move('half-open') end
  if state == 'closed' then
    admitted = 1
  elseif state == 'open' then
    wait = ends - now
  else
    redis.call('ZREMRANGEBYSCORE', probes, '-inf', text(now))
    if redis.call('ZCARD', probes) < permits then
      redis.call('ZADD', probes, text(now + lease_ms), first)
      admitted = 1
      keep()
    else
      wait = tonumber(redis.call('ZRANGE', probes, 0, 0, 'WITHSCORES')[2]) - now
    end
  end
elseif operation == 'record' then
  if not stored[1] then store() end
  if state == 'closed' and generation > present then
    -- The keys were lost, and somebody who knew less was here first.
    present = generation
    store()
  end
  if state == 'closed' and generation == present then
    local bucket = math.floor(now / (window_ms / 10))
    redis.call('HINCRBY', window, 'f' .. text(bucket), first)
    redis.call('HINCRBY', window, 's' .. text(bucket), second)
    local failures, successes, all = 0, 0, redis.call('HGETALL', window)
    for at = 1, #all, 2 do
      if tonumber(string.sub(all[at], 2)) <= bucket - 10 then
        redis.call('HDEL', window, all[at])
      elseif string.sub(all[at], 1, 1) == 'f' then
        failures = failures + tonumber(all[at + 1])
      else
        successes = successes + tonumber(all[at + 1])
      end
    end
    if failures >= threshold and failures >= ratio * (failures + successes) then move('open', open_ms) end
  end
  keep()
elseif operation == 'result' then
  if state == 'half-open' and generation == present and redis.call('ZREM', probes, first) == 1 then
    if second == 'failure' then
      move('open', open_ms)
    elseif second == 'success' and redis.call('HINCRBY', breaker, 'successes', 1) >= needed then
      move('closed')
    end
  end
elseif operation == 'open' then
  move('open', tonumber(first))
elseif operation == 'adopt' then
  -- A process knows the breaker open: news if the keys were lost, or if it was opened while nothing here answered.
  if state ~= 'open' and (not stored[1] or present < generation) then move('open', tonumber(first)) end
elseif operation == 'closed' or operation == 'half-open' then
  move(operation)
end
return {state, text(present), text(left()), admitted, text(wait)}
"""
"""Needs Redis 5 or later: it reads TIME and writes."""
