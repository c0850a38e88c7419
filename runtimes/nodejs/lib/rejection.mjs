const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

// A request which the user's function can't be called with.
export class InvalidRequest extends Error {
  status = 400;
  expose = true;
}

// Express tells an error handler from another by its four parameters.
export function answerRejected(error, request, response, _next) {
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  else console.error(`${request.method} ${request.path} rejected with ${status}: ${error.message}`);
  if (response.headersSent) return response.destroy();

  // An HTML page, as clients know it from Express, but never with the server's stack on it.
  const text = error.expose ? error.message : 'Internal Server Error';
  return response.status(status).type('html').send(
    `<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Error</title></head>\n<body><pre>${escape(text)}</pre></body>\n</html>\n`);
}

function escape(text) {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]);
}
