import { createBodyReader } from './body.mjs';
import { pathOf, prepare } from './express.mjs';
import { answerRejected, InvalidRequest } from './rejection.mjs';

// The paths that the server itself answers, in the forms that Express took for them.
const ENDPOINT = /^\/(healthz|metrics|favicon\.ico)\/?(?:\?|$)/i;

// Returns what answers each request: the server's own paths here, all others by the user's function.
export function createRequestListener(settings, { loaded, metrics, exchanges, logRequest, invoke }) {
  const readBody = createBodyReader(settings.bodyLimitMegabytes);
  const endpoints = {
    healthz: (response) => response.status(loaded.ready ? 200 : 503).send(loaded.ready ? 'OK' : 'User function is being loaded'),
    metrics: (response) => response.type('text/plain; version=0.0.4').send(metrics.render()),
    'favicon.ico': (response) => response.sendStatus(204),
  };

  return (request, response) => {
    prepare(request, response);
    logRequest?.(request, response);
    const { method } = request;
    const endpoint = method === 'GET' || method === 'HEAD' ? ENDPOINT.exec(request.url)?.[1].toLowerCase() : undefined;
    if (endpoint) return endpoints[endpoint](response);

    exchanges.begin(request, response);
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (method === 'OPTIONS') return answerPreflight(request, response);
    if (!isDecodable(request.url)) {
      return answerRejected(new InvalidRequest(`Failed to decode the path ${request.url}`), request, response);
    }
    return readBody(request, response, (error) => {
      if (error) answerRejected(error, request, response);
      else invoke(request, response);
    });
  };
}

// Browsers may call a Function from anywhere; their preflight never reaches user code.
function answerPreflight({ headers }, response) {
  const method = headers['access-control-request-method'];
  const names = headers['access-control-request-headers'];
  if (method !== undefined) response.setHeader('Access-Control-Allow-Methods', method);
  if (names !== undefined) response.setHeader('Access-Control-Allow-Headers', names);
  response.end();
}

function isDecodable(url) {
  if (!url.includes('%')) return true;
  try {
    decodeURIComponent(pathOf(url));
    return true;
  } catch {
    return false;
  }
}
