"""The floor: uvicorn alone, answering what the Functions of function/ answer."""

import json
import os

import uvicorn


async def app(scope, receive, send):
    if scope["path"] == "/json":
        message = await receive()
        body, kind = json.dumps(json.loads(message["body"])).encode(), b"application/json"
    else:
        body, kind = b"hello", b"text/html; charset=UTF-8"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


uvicorn.run(app, port=int(os.environ["FUNC_PORT"]), http="httptools", loop="uvloop", lifespan="off", access_log=False, log_level="warning")
