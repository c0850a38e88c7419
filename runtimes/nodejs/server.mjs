import { formatLogs } from './lib/log.mjs';
import { readSettings } from './lib/settings.mjs';
import { startRuntime } from './lib/runtime.mjs';
import { reportLoadFailure } from './lib/loadfailure.mjs';
import { stopOnSignals } from './lib/shutdown.mjs';

// A Function outlives an error in one of its forgotten callbacks: other callers are being served.
process.on('uncaughtException', (error) => {
  console.error(`Caught exception: ${error?.stack ?? error}`);
});

const settings = readSettings(process.env);
formatLogs(settings.logFormat);

// Starting and loading are two steps: a started server needs no handler, and may be handed one later.
const runtime = await startRuntime(settings).catch((error) => {
  console.error(`listen on port ${settings.port} (FUNC_PORT): ${error.message}`);
  process.exit(1);
});
stopOnSignals(runtime, settings);

try {
  await runtime.load(settings.source);
} catch (error) {
  // Never healthy: the pod crash-loops and the former revision keeps serving.
  reportLoadFailure(error, settings);
  process.exit(1);
}
