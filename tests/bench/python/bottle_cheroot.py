"""The way of the original's server, to compare with: Bottle on cheroot, each call counted, timed and in a thread of its
own. Written for this benchmark by what the contract says of it (section 6.3).
"""

import os
import queue
import sys
import threading

import bottle
from cheroot import wsgi
from prometheus_client import Counter, Histogram

sys.path.insert(0, os.environ["FUNCTION_PATH"])
from handler import main  # noqa: E402

duration = Histogram("function_duration_seconds", "Duration of user function in seconds", ["method"])
calls = Counter("function_calls_total", "Number of calls to user function", ["method"])
failures = Counter("function_failures_total", "Number of exceptions in user function", ["method"])
app = bottle.Bottle()


def run(event, results):
    try:
        results.put(main(event, {}))
    except Exception as error:
        results.put(error)


@app.route("/<:re:.*>", method=["GET", "POST", "PATCH", "DELETE"])
def serve():
    request = bottle.request
    event = {"extensions": {"request": request.copy()}}
    if request.content_type == "application/json":
        event["data"] = request.json
    method = request.method
    calls.labels(method).inc()
    with failures.labels(method).count_exceptions(), duration.labels(method).time():
        results = queue.Queue()
        threading.Thread(target=run, args=(event, results)).start()
        result = results.get(timeout=180)
        if isinstance(result, Exception):
            raise result
        return result


wsgi.Server(("127.0.0.1", int(os.environ["FUNC_PORT"])), app, numthreads=50, request_queue_size=1000).start()
