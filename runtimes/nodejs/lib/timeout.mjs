// Measured from the last byte on the connection, so that a response which streams is not cut off.
export function limitTime(timeoutMs) {
  return (_request, response, next) => {
    response.setTimeout(timeoutMs, () => {
      if (response.headersSent) response.destroy();
      else response.sendStatus(408);
    });
    next();
  };
}
