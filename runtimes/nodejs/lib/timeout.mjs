// Answers for a function that takes too long. node:http measures from the last byte on the connection, so
// that a response which streams is not cut off.
export function limitTime(server, exchanges, timeoutMs) {
  server.setTimeout(timeoutMs, (socket) => {
    const response = exchanges.on(socket);
    // Nobody uses the connection, or the answer was not taken.
    if (!response || response.headersSent) {
      socket.destroy();
      return;
    }
    const { method, path } = response.req;
    console.error(`${method} ${path} got no answer within ${timeoutMs / 1000} s (FUNC_TIMEOUT)`);
    response.sendStatus(408);
  });
}
