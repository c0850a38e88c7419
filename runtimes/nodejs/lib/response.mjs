// What a handler returned, as an HTTP response. Called again or after the user has ended the
// response on his own, it does nothing.
export function sendResult(response, value, status, headers) {
  if (response.writableEnded) return;
  if (headers) response.set(headers);
  if (status) response.status(status);

  // Clients rely on 0, false and '' being empty like null and undefined.
  if (!value) {
    if (status) response.sendStatus(status);
    else response.end();
  } else if (value instanceof Uint8Array) {
    if (!response.get('Content-Type')) response.type('application/octet-stream');
    response.end(value);
  } else if (typeof value === 'object') {
    response.json(value);
  } else {
    // No Content-Type: a handler sets it if the string is more than that.
    response.end(String(value));
  }
}

// A thrown string is meant for the caller; an Error is not, it may tell what the caller must not know.
export function sendFailure(response, error) {
  if (response.writableEnded) return;
  if (response.headersSent) response.destroy();
  else response.status(500).end(typeof error === 'string' ? error : 'Internal server error');
}
