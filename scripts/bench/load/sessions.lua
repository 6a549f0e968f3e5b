-- Goes through `count` sessions in an order without a pattern, over and over: wrk -s sessions.lua URL -- COUNT
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
local requests, at, count = {}, 0, 1

function init(args)
  count = tonumber(args[1])
  math.randomseed(1)
  for i = 1, count do requests[i] = wrk.format("GET", "/s" .. (i - 1) .. "/small") end
  for i = count, 2, -1 do
    local j = math.random(i)
    requests[i], requests[j] = requests[j], requests[i]
  end
end

function request()
  at = at % count + 1
  return requests[at]
end
