import { setTimeout as sleep } from 'node:timers/promises';

const SPAN_FLUSH_MS = 2000;

// A pod gets SIGTERM while its address is still being removed from the cluster's proxies, so the
// server goes on accepting for the drain time: closing at once would refuse calls on every rollout.
export function stopOnSignals(runtime, { drainMs }) {
  let stopping = false;

  const stop = async (drain) => {
    if (stopping) return;
    stopping = true;
    console.log('Shutting down..');
    closeConnections(runtime);
    await sleep(drain);
    await new Promise((closed) => runtime.server.close(closed));
    await Promise.race([runtime.tracing.shutdown(), sleep(SPAN_FLUSH_MS)]);
    process.exit(0);
  };
  process.on('SIGTERM', () => stop(drainMs));
  // Ctrl-C: nobody routes to a developer's machine.
  process.on('SIGINT', () => stop(0));
}

// A kept-alive connection would outlive the drain and carry the next call into a closed server.
function closeConnections({ server, exchanges }) {
  const closeAfter = (response) => {
    if (response.headersSent) response.once('finish', () => response.socket?.end());
    else response.setHeader('Connection', 'close');
  };
  server.prependListener('request', (_request, response) => closeAfter(response));
  for (const response of exchanges) closeAfter(response);
}
