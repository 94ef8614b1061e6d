-- wrk script: sends the prepared requests of $REQUESTS in turn.
function init()
  requests, at = {}, 0
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
