"""What Redis does in one step for breakers and limits. Times in milliseconds on Redis' clock.

Keys of one model, all in one slot:

* ``{prefix}:{model:<id>}:breaker:<capability>``: state, until, lease, probe, openings, since, what opened it (good,
  failed), and counts by bucket: ``o<n>`` good, ``f<n>`` failed
* ``…:limits``: paused, and by second ``r<n>`` requests, ``t<n>`` tokens
* ``…:traffic``: by half minute ``o<n>``, ``f<n>``, ``m<n>`` milliseconds of good calls, and the last call,
  answer and error
"""

from __future__ import annotations

__all__ = ["ENTER", "REPORT", "TRAFFIC_BUCKETS", "TRAFFIC_BUCKET_MS"]

#: Health is judged on the last five minutes.
TRAFFIC_BUCKET_MS = 30_000
TRAFFIC_BUCKETS = 10

_CLOCK = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

#: KEYS: breaker, limits. ARGV: token, lease, request limit, token limit (0: none), tokens, whether to obey the breaker.
#: Answers {state, refusal or '', wait, 1 for a probe, the second under which it is counted}.
ENTER = (
    _CLOCK
    + """
local known = redis.call('HMGET', KEYS[1], 'state', 'until', 'lease')
local state, ends, lease = known[1] or 'closed', tonumber(known[2] or 0), tonumber(known[3] or 0)
local obeys = ARGV[6] == '1'
if obeys and state == 'open' and now < ends then return {state, 'breaker_open', ends - now, 0, 0} end
if obeys and state == 'half_open' and now < lease then return {state, 'breaker_open', lease - now, 0, 0} end

local paused = tonumber(redis.call('HGET', KEYS[2], 'paused') or 0)
if now < paused then return {state, 'paused', paused - now, 0, 0} end

local second = math.floor(now / 1000)
local function wait_for(kind, limit, wanted)
  if limit == 0 then return 0 end
  local used, spent = 0, {}
  local rows = redis.call('HGETALL', KEYS[2])
  for i = 1, #rows, 2 do
    local of, at = string.match(rows[i], '^([rt])(%d+)$')
    if of and tonumber(at) < second - 60 then redis.call('HDEL', KEYS[2], rows[i])
    elseif of == kind then
      used = used + tonumber(rows[i + 1])
      spent[#spent + 1] = {tonumber(at), tonumber(rows[i + 1])}
    end
  end
  local over = used + math.min(wanted, limit) - limit
  if over <= 0 then return 0 end
  table.sort(spent, function(a, b) return a[1] < b[1] end)
  for _, one in ipairs(spent) do
    over = over - one[2]
    if over <= 0 then return (one[1] + 61) * 1000 - now end
  end
  return 61000
end
local wait = math.max(wait_for('r', tonumber(ARGV[3]), 1), wait_for('t', tonumber(ARGV[4]), tonumber(ARGV[5])))
if wait > 0 then return {state, 'limit', wait, 0, 0} end
if ARGV[3] ~= '0' or ARGV[4] ~= '0' then
  redis.call('HINCRBY', KEYS[2], 'r' .. second, 1)
  redis.call('HINCRBY', KEYS[2], 't' .. second, math.min(tonumber(ARGV[5]), tonumber(ARGV[4])))
  redis.call('EXPIRE', KEYS[2], 3600)
end

if obeys and state ~= 'closed' then
  redis.call('HSET', KEYS[1], 'state', 'half_open', 'probe', ARGV[1], 'lease', now + tonumber(ARGV[2]))
  return {'half_open', '', 0, 1, second}
end
return {state, '', 0, 0, second}
"""
)

#: KEYS: breaker, limits, traffic. ARGV: token, outcome, length of a breaker's bucket, number of them, least calls,
#: failure rate, milliseconds open, most of them, duration, error kind, error, pause, tokens over, whether the
#: breaker is told, the second of the tokens, number of calls (their durations are added up). Answers {state, refusal
#: or '', wait}: what holds for the next call.
REPORT = (
    _CLOCK
    + f"""
local TRAFFIC_MS, TRAFFIC_KEPT = {TRAFFIC_BUCKET_MS}, {TRAFFIC_BUCKETS}
"""
    + """
local outcome, calls = ARGV[2], tonumber(ARGV[16])

-- drop the buckets that have left the window; done only when a new one begins
local function count(key, kind, bucket, kept, by)
  if redis.call('HINCRBY', key, kind .. bucket, by) ~= by then return end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local of, at = string.match(name, '^([ofm])(%d+)$')
    if of and tonumber(at) <= bucket - kept then redis.call('HDEL', key, name) end
  end
end

redis.call('HSET', KEYS[3], 'last', now)
redis.call('EXPIRE', KEYS[3], 604800)
if outcome ~= 'neutral' then
  local bucket = math.floor(now / TRAFFIC_MS)
  count(KEYS[3], outcome == 'ok' and 'o' or 'f', bucket, TRAFFIC_KEPT, calls)
  if outcome == 'ok' then
    redis.call('HINCRBY', KEYS[3], 'm' .. bucket, tonumber(ARGV[9]))
    redis.call('HSET', KEYS[3], 'last_ok', now, 'ms', math.floor(ARGV[9] / calls))
  else
    redis.call('HSET', KEYS[3], 'error_at', now, 'error_kind', ARGV[10], 'error', ARGV[11])
  end
end
if tonumber(ARGV[12]) > 0 then
  redis.call('HSET', KEYS[2], 'paused', now + tonumber(ARGV[12]))
  redis.call('EXPIRE', KEYS[2], 3600)
end
if ARGV[13] ~= '0' and tonumber(ARGV[15]) >= math.floor(now / 1000) - 60 then
  redis.call('HINCRBY', KEYS[2], 't' .. ARGV[15], ARGV[13])
end
if ARGV[14] == '0' then return {'closed', '', 0} end

local known = redis.call('HMGET', KEYS[1], 'state', 'until', 'lease', 'probe', 'openings')
local state, ends, lease = known[1] or 'closed', tonumber(known[2] or 0), tonumber(known[3] or 0)

local function open(openings, good, failed)
  state, ends = 'open', now + math.min(tonumber(ARGV[7]) * 2 ^ math.min(openings - 1, 16), tonumber(ARGV[8]))
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'state', state, 'until', ends, 'openings', openings, 'since', now,
             'good', good, 'failed', failed)
end

if state == 'half_open' and known[4] == ARGV[1] then
  if outcome == 'ok' then
    state = 'closed'
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'state', state, 'since', now)
  elseif outcome == 'fail' then
    open(tonumber(known[5] or 0) + 1, 0, 1)
  else
    lease = 0
    redis.call('HDEL', KEYS[1], 'lease', 'probe')
  end
elseif state == 'closed' and outcome ~= 'neutral' then
  local bucket, kept = math.floor(now / tonumber(ARGV[3])), tonumber(ARGV[4])
  count(KEYS[1], outcome == 'ok' and 'o' or 'f', bucket, kept, calls)
  if outcome == 'fail' then
    local counted = {o = 0, f = 0}
    local rows = redis.call('HGETALL', KEYS[1])
    for i = 1, #rows, 2 do
      local of, at = string.match(rows[i], '^([of])(%d+)$')
      if of and tonumber(at) > bucket - kept then counted[of] = counted[of] + tonumber(rows[i + 1]) end
    end
    local all = counted.o + counted.f
    if all >= tonumber(ARGV[5]) and counted.f >= all * tonumber(ARGV[6]) then open(1, counted.o, counted.f) end
  end
end
redis.call('EXPIRE', KEYS[1], 86400)

if state == 'open' and now < ends then return {state, 'breaker_open', ends - now} end
if state == 'half_open' and now < lease then return {state, 'breaker_open', lease - now} end
local paused = tonumber(redis.call('HGET', KEYS[2], 'paused') or 0)
if now < paused then return {state, 'paused', paused - now} end
return {state, '', 0}
"""
)
