import diagnostics from 'node:diagnostics_channel';
import http from 'node:http';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';

const [major, minor] = process.versions.node.split('.').map(Number);
const tellsOfRequests = major > 22 || (major === 22 && minor >= 15);

// Every request which user code makes, by http, https, axios or fetch, carries the trace on. Node's
// own diagnostics channels tell of them; what Node 20 doesn't tell, its agents do.
export function traceOutgoing(tracer) {
  const spans = new WeakMap();

  const begin = (request, method, url, setHeader) => {
    const parent = context.active();
    // The exporter's own requests.
    if (isTracingSuppressed(parent)) return;
    const span = tracer.startSpan(method, {
      kind: SpanKind.CLIENT,
      attributes: {
        'http.request.method': method,
        // Without the query: it may hold a key, and traces are read by more people than may know it.
        'url.full': url.split('?', 1)[0],
      },
    }, parent);
    spans.set(request, span);
    propagation.inject(trace.setSpan(parent, span), request, { set: (_request, name, value) => setHeader(name, value) });
  };
  const end = (request, statusCode) => {
    const span = spans.get(request);
    span?.setAttribute('http.response.status_code', statusCode);
    if (statusCode >= 400) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
  };
  const fail = (request, error) => {
    const span = spans.get(request);
    span?.recordException(error);
    span?.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    span?.end();
  };

  const created = (request) => {
    const url = `${request.protocol}//${request.getHeader('host') ?? request.host}${request.path}`;
    begin(request, request.method, url, (name, value) => {
      // Sent with the constructor already, when headers came as an array or with Expect.
      if (!request.headersSent) request.setHeader(name, value);
    });
  };
  if (tellsOfRequests) diagnostics.subscribe('http.client.request.created', ({ request }) => created(request));
  else watchAgents((request) => {
    created(request);
    request.once('error', (error) => fail(request, error));
  });
  diagnostics.subscribe('http.client.response.finish', ({ request, response }) => end(request, response.statusCode));
  if (tellsOfRequests) diagnostics.subscribe('http.client.request.error', ({ request, error }) => fail(request, error));

  diagnostics.subscribe('undici:request:create', ({ request }) => {
    begin(request, request.method, `${request.origin}${request.path}`, (name, value) => request.addHeader(name, value));
  });
  diagnostics.subscribe('undici:request:headers', ({ request, response }) => end(request, response.statusCode));
  diagnostics.subscribe('undici:request:error', ({ request, error }) => fail(request, error));
}

// Each request passes its agent, also those of https, before anything of it is sent.
function watchAgents(created) {
  const { addRequest } = http.Agent.prototype;
  http.Agent.prototype.addRequest = function (request, ...rest) {
    created(request);
    return addRequest.call(this, request, ...rest);
  };
}
