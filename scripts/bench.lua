-- The requests that wrk sends for scripts/bench, each as a random user:
--
--   wrk ... URL -- CELL TOKENS TASKS_PER_USER KEPT ID_PREFIX THREADS [STATUS,...]
--
-- TOKENS is a file with a token and a cursor of its user's changes on each line. The tasks of line u (from 0) are
-- those whose ids are ID_PREFIX and the number 100000000000 + u * TASKS_PER_USER + n. The last line is
-- for the user with the long list. The first KEPT tasks of each user are never deleted. THREADS is the number
-- of wrk's threads. With STATUS, every answer must have one of these statuses, and requests are delayed.
-- The requests are concatenated here, since wrk.format would make wrk itself the bottleneck.

local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
    thread:set("number", #threads)
end

local tokens, cursors, users, tasks_per_user, kept, id_prefix, head, thread_count = {}, {}, 0, 0, 0, "", "", 0

local function any_user()
    return math.random(0, users - 1)
end

local function task(user, index)
    return string.format("%s%.0f", id_prefix, 100000000000 + user * tasks_per_user + index)
end

local function any_task(user)
    return task(user, math.random(0, kept - 1))
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

function cells.page()
    local user = any_user()
    return bare("GET ", "/api/v1/tasks?limit=20", user)
end

function cells.changes()
    local user = any_user()
    return bare("GET ", "/api/v1/changes?limit=20&cursor=" .. cursors[user + 1], user)
end

function cells.list()
    return bare("GET ", "/api/v1/tasks", users)
end

function cells.complete()
    local user = any_user()
    return with_body("PATCH ", "/api/v1/tasks/" .. any_task(user) .. "/complete", user,
        math.random() < 0.5 and '{"completed":true}' or '{"completed":false}')
end

-- Each task is deleted once: threads take turns, and begin with the last tasks of every user.
local deleted = 0

function cells.delete()
    local victim = deleted * thread_count + number - 1
    deleted = deleted + 1
    local user = victim % users
    local index = tasks_per_user - 1 - math.floor(victim / users) % tasks_per_user
    return bare("DELETE ", "/api/v1/tasks/" .. task(user, index), user)
end

function cells.mix()
    local chance = math.random(100)
    if chance <= 50 then return cells.get() end
    if chance <= 70 then return cells.page() end
    if chance <= 80 then return cells.create() end
    if chance <= 95 then return cells.complete() end
    return cells.delete()
end

-- Checking answers slows wrk down, so measurements do without.
local function check_statuses(statuses)
    -- Milliseconds before each request. At most 5,000 requests a second on 100 connections leave enough tasks
    -- to delete, however fast the service is.
    function delay()
        return 20
    end

    unexpected = 0
    function response(status)
        if not string.find("," .. statuses .. ",", "," .. status .. ",", 1, true) then
            unexpected = unexpected + 1
        end
    end
end

function init(args)
    math.randomseed(number)
    for line in io.lines(args[2]) do
        tokens[#tokens + 1], cursors[#cursors + 1] = line:match("(%S+) (%S+)")
    end
    users = #tokens - 1
    tasks_per_user = tonumber(args[3])
    kept = tonumber(args[4])
    id_prefix = args[5]
    thread_count = tonumber(args[6])
    head = " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: Bearer "
    request = cells[args[1]]
    if args[7] then check_statuses(args[7]) end
end

function done(summary, latency)
    local errors = summary.errors
    local unexpected = 0
    for _, thread in ipairs(threads) do
        unexpected = unexpected + (thread:get("unexpected") or 0)
    end
    print(string.format("result requests=%.0f micros=%.0f p50=%.0f p99=%.0f status=%.0f socket=%.0f",
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        math.max(errors.status, unexpected),
        errors.connect + errors.read + errors.write + errors.timeout))
end
