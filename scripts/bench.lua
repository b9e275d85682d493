-- The requests that wrk sends for scripts/bench, each for another user and another task:
--
--   wrk ... URL -- CELL TOKENS TASKS_PER_USER ID_PREFIX
--
-- TOKENS is a file with one token a line. The tasks of the token on line u (counted from 0) are
-- those whose ids are ID_PREFIX and the number 100000000000 + u * TASKS_PER_USER + n.
-- The requests are put together by hand: wrk.format would make wrk itself the limit.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
end

local tokens, tasks_per_user, id_prefix, head = {}, 0, "", ""

local function any_user()
    return math.random(0, #tokens - 1)
end

local function any_task(user)
    local number = 100000000000 + user * tasks_per_user + math.random(0, tasks_per_user - 1)
    return string.format("%s%.0f", id_prefix, number)
end

local function bare(method, path, user)
    return method .. path .. head .. tokens[user + 1] .. "\r\n\r\n"
end

local function with_body(method, path, user, body)
    return method .. path .. head .. tokens[user + 1]
        .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local cells = {}

function cells.get()
    local user = any_user()
    return bare("GET ", "/api/v1/tasks/" .. any_task(user), user)
end

function cells.create()
    local body = '{"title":"Task ' .. math.random(100000, 999999)
        .. ': water the plants","description":"Twice a week, those on the balcony too."}'
    return with_body("POST ", "/api/v1/tasks", any_user(), body)
end

function init(args)
    math.randomseed(number)
    for token in io.lines(args[2]) do
        tokens[#tokens + 1] = token
    end
    tasks_per_user = tonumber(args[3])
    id_prefix = args[4]
    head = " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: Bearer "
    request = cells[args[1]]
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format("result requests=%.0f micros=%.0f p50=%.0f p99=%.0f status=%.0f socket=%.0f",
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
