import { Readable } from 'node:stream';
import { ServerResponse } from 'node:http';
import { entityTag } from './express.mjs';

// What a handler returned, as an HTTP response. Called again or after the user has ended the
// response on his own, it does nothing. Returns a promise only if there is something to wait for.
export function sendResult(response, value, status, headers) {
  if (response.writableEnded) return undefined;
  if (headers) response.set(headers);
  if (status) response.status(status);

  // Clients rely on 0, false and '' being empty like null and undefined.
  if (!value) {
    if (status) response.sendStatus(status);
    else response.end();
  } else if (typeof value !== 'object') {
    // No Content-Type: a handler sets it if the string is more than that.
    response.end(String(value));
  } else if (value instanceof Uint8Array) {
    assumeBytes(response);
    response.end(value);
  } else if (isStream(value)) {
    assumeBytes(response);
    return sendStream(response, value);
  } else {
    sendJSON(response, value);
  }
  return undefined;
}

// A thrown string is meant for the caller; an Error is not, it may tell what the caller must not know.
export function sendFailure(response, error) {
  if (response.writableEnded) return;
  if (response.headersSent) response.destroy();
  else response.status(500).end(typeof error === 'string' ? error : 'Internal server error');
}

function assumeBytes(response) {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/octet-stream');
}

// Node's streams, those of the web, as `(await fetch(…)).body`, and what behaves like one.
function isStream(value) {
  return value instanceof Readable || value instanceof ReadableStream
    || (typeof value.pipe === 'function' && value.readable !== undefined && !(value instanceof ServerResponse));
}

// Not by stream.pipeline: it would cut the connection also when a source fails before there is anything of it.
function sendStream(response, value) {
  const stream = value instanceof ReadableStream ? Readable.fromWeb(value) : value;
  return new Promise((sent, failed) => {
    stream.on('error', failed);
    // Sent, or nobody is there any more to take it.
    response.on('close', () => {
      stream.destroy?.();
      sent();
    });
    stream.pipe(response);
  });
}

// As Express's response.json, in a third of the time: it would take its own header apart again. What a
// handler has set, and conditional requests, are left to Express.
function sendJSON(response, value) {
  const { headers } = response.req;
  if (response.statusCode !== 200 || response.hasHeader('Content-Type') || response.hasHeader('ETag')
    || headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined) {
    response.json(value);
    return;
  }
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('the returned object cannot be written as JSON');
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  const length = Buffer.byteLength(text);
  response.setHeader('ETag', entityTag(text, length));
  if (response.req.method === 'HEAD') response.setHeader('Content-Length', length);
  response.end(text);
}
