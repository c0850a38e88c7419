wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"order":{"id":"4711","lines":[{"item":"cup","count":2},{"item":"saucer","count":2}],"note":"by noon"}}'
