import { randomBytes } from 'node:crypto';
import { isSpanContextValid, trace, TraceFlags } from '@opentelemetry/api';

// Without a collector nothing makes up ids for a call which came without any, and the services behind
// this Function would each begin a trace of their own.
export function withGeneratedParent(context) {
  const current = trace.getSpanContext(context);
  if (current && isSpanContextValid(current)) return context;
  return trace.setSpanContext(context, {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    traceFlags: TraceFlags.SAMPLED,
  });
}
