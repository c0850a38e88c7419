import http from 'node:http';
import { once } from 'node:events';
import { createApp } from './app.mjs';
import { loadHandler } from './load.mjs';
import { startTracing } from './tracing.mjs';

// Longer than the idle time of common clients and proxies (60 s, Go's 90 s): the side which closes
// an idle connection should be the one which knows that it is about to send nothing.
const KEEP_ALIVE_MS = 95_000;

export async function startRuntime(settings) {
  // `ready` answers /healthz, `call` is the user's function: a file without one is ready nevertheless.
  const loaded = { ready: false, call: undefined };
  const tracing = await startTracing(settings);
  const server = http.createServer(createApp(settings, loaded, tracing));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(settings.port);
  await once(server, 'listening');

  return {
    server,
    tracing,
    async load(source) {
      loaded.call = await loadHandler(source);
      loaded.ready = true;
    },
  };
}
