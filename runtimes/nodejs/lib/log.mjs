import { format } from 'node:util';
import { context, isSpanContextValid, trace } from '@opentelemetry/api';

const LEVELS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error', trace: 'debug' };

// With `json` whatever is written to the console, by the server or by user code, is a JSON object a line.
export function formatLogs(logFormat) {
  if (logFormat !== 'json') return;
  for (const [method, level] of Object.entries(LEVELS)) {
    const stream = level === 'error' || level === 'warn' ? process.stderr : process.stdout;
    console[method] = (...args) => {
      const line = { time: new Date().toISOString(), level, message: format(...args), ...traceIds() };
      stream.write(`${JSON.stringify(line)}\n`);
    };
  }
  console.structured = true;
}

// An error with its stack and, within a call, the id of the call's trace.
export function logError(error) {
  const text = String(error?.stack ?? error);
  const { trace_id: traceId } = console.structured ? {} : traceIds();
  console.error(traceId ? `${text}\n    trace_id: ${traceId}` : text);
}

function traceIds() {
  const span = trace.getSpanContext(context.active());
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}
