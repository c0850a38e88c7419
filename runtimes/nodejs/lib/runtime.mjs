import http from 'node:http';
import { once } from 'node:events';
import { Exchanges } from './exchanges.mjs';
import { FunctionRequest, FunctionResponse } from './express.mjs';
import { createInvoker } from './invocation.mjs';
import { loadHandler } from './load.mjs';
import { createMetrics } from './metrics.mjs';
import { createPublisher } from './publisher.mjs';
import { createRequestLog } from './requestlog.mjs';
import { createRequestListener } from './requests.mjs';
import { limitTime } from './timeout.mjs';
import { startTracing } from './tracing.mjs';

// Longer than the idle time of common clients and proxies (60 s, Go's 90 s): the side which closes
// an idle connection should be the one which knows that it is about to send nothing.
const KEEP_ALIVE_MS = 95_000;

export async function startRuntime(settings) {
  // `ready` answers /healthz, `call` is the user's function: a file without one is ready nevertheless.
  const loaded = { ready: false, call: undefined };
  const tracing = await startTracing(settings);
  const metrics = createMetrics(settings);
  const server = http.createServer({
    IncomingMessage: FunctionRequest,
    ServerResponse: FunctionResponse,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const exchanges = new Exchanges(metrics.recordRequest);
  limitTime(server, exchanges, settings.timeoutMs);
  server.on('request', createRequestListener(settings, {
    loaded,
    metrics,
    exchanges,
    logRequest: settings.logRequests ? createRequestLog() : undefined,
    invoke: createInvoker(settings, { loaded, metrics, tracing, publisher: createPublisher(settings) }),
  }));
  server.listen(settings.port);
  await once(server, 'listening');

  return {
    server,
    exchanges,
    tracing,
    async load(source) {
      loaded.call = await loadHandler(source);
      loaded.ready = true;
    },
  };
}
