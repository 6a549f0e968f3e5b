-- The POST: wrk -s post.lua URL -- BODY
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
function init(args)
  wrk.method = "POST"
  wrk.body = args[1]
  wrk.headers["Content-Type"] = "application/json"
end
