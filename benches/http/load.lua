-- wrk script: sends the prepared requests of $REQUESTS in turn. With CHECK=1, it also counts the responses that have a GraphQL error.
function setup(thread)
  threads = threads or {}
  threads[#threads + 1] = thread
end
function init()
  requests, at, failed = {}, 0, 0
  for line in io.lines(os.getenv("REQUESTS")) do
    local tab = line:find("\t", 1, true)
    local headers = { ["Content-Type"] = "application/json", ["Accept"] = "application/json",
                      ["Authorization"] = "Bearer " .. line:sub(1, tab - 1) }
    requests[#requests + 1] = wrk.format("POST", "/graphql", headers, line:sub(tab + 1))
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
if os.getenv("CHECK") then
  function response(status, headers, body)
    if status ~= 200 or body:find('"errors":', 1, true) then
      failed = failed + 1
    end
  end
  function done()
    local all = 0
    for _, thread in ipairs(threads) do
      all = all + thread:get("failed")
    end
    print("Failed: " .. all)
  end
end
