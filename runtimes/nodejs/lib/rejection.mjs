import { logError } from './log.mjs';

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

// A request which the user's function isn't called with; the caller is told why.
export class RejectedRequest extends Error {
  expose = true;

  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class InvalidRequest extends RejectedRequest {
  constructor(message) {
    super(400, message);
  }
}

export function answerRejected(error, request, response) {
  const status = error.status ?? 500;
  if (status >= 500) logError(error);
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
