import { hash } from 'node:crypto';
import http from 'node:http';
import express from 'express';
import { answerRejected } from './rejection.mjs';

// Handlers get Express's own request and response, with every method of theirs, but no request passes
// Express's middleware: node:http makes them by these classes, and what the router and its middleware
// would have put on them is worked out when a handler asks for it.
//
// Express 4, not 5: handlers were written against 4, and 5 changed both objects (removed signatures,
// req.query, path patterns).
const app = express();

export class FunctionRequest extends http.IncomingMessage {}
export class FunctionResponse extends http.ServerResponse {}

Object.setPrototypeOf(FunctionRequest.prototype, app.request);
Object.setPrototypeOf(FunctionResponse.prototype, app.response);

onDemand(FunctionRequest, 'query', (request) => app.get('query parser fn')(queryString(request.originalUrl)));
// As on a route of the pattern `*`.
onDemand(FunctionRequest, 'params', (request) => ({ 0: decodeURIComponent(pathOf(request.originalUrl)) }));
// Where Express's methods bring their errors, as a file that can't be sent.
onDemand(FunctionRequest, 'next', (request) => (error) => answerRejected(error ?? new Error('no next handler'), request, request.res));
onDemand(FunctionResponse, 'locals', () => Object.create(null));

// What each request has from its start, as properties of its own.
export function prepare(request, response) {
  request.res = response;
  request.originalUrl = request.url;
  request.baseUrl = '';
  response.setHeader('X-Powered-By', 'Express');
}

// The entity tag that Express gives a text of that many bytes.
export function entityTag(text, length) {
  return `W/"${length.toString(16)}-${hash('sha1', text, 'base64').slice(0, 27)}"`;
}

export function pathOf(url) {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

function queryString(url) {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

function onDemand({ prototype }, name, make) {
  const own = (object, value) => {
    Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true });
    return value;
  };
  Object.defineProperty(prototype, name, {
    configurable: true,
    enumerable: true,
    get() { return own(this, make(this)); },
    set(value) { own(this, value); },
  });
}
