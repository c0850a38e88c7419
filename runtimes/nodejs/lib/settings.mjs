import path from 'node:path';

const MILLISECONDS = 1000;

// Everything the pod's environment decides, read once. User code may change process.env afterwards.
export function readSettings(env) {
  return {
    port: Number(env.FUNC_PORT || 8080),
    source: {
      directory: path.resolve(env.FUNCTION_PATH || 'function'),
      module: env.MOD_NAME || 'handler',
      handler: env.FUNC_HANDLER || 'main',
    },
    functionName: env.FUNC_NAME,
    namespace: env.SERVICE_NAMESPACE,
    runtime: env.FUNC_RUNTIME,
    timeoutMs: positive(env, 'FUNC_TIMEOUT', 180) * MILLISECONDS,
    bodyLimitMegabytes: positive(env, 'REQ_MB_LIMIT', 1),
    drainMs: positive(env, 'FUNC_DRAIN_SECONDS', 2) * MILLISECONDS,
    traceCollector: env.TRACE_COLLECTOR_ENDPOINT,
    publisher: env.PUBLISHER_PROXY_ADDRESS,
    logFormat: env.FUNC_LOG_FORMAT,
    logRequests: Boolean(env.KYMA_INTERNAL_LOGGER_ENABLED),
    terminationLog: env.TERMINATION_MESSAGE_PATH,
  };
}

// A typo in an optional limit must not keep a Function from serving; it is said and the default holds.
function positive(env, name, fallback) {
  if (!env[name]) return fallback;
  const value = Number(env[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.warn(`${name}: "${env[name]}" is not a number of 0 or more, using ${fallback}`);
  return fallback;
}
