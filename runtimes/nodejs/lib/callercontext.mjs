import { randomBytes } from 'node:crypto';
import { isSpanContextValid, propagation, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';

// The trace that a request came with, read when somebody asks for it: most calls send nothing on.
export class CallerContext {
  #request;
  #context;

  constructor(request) {
    this.#request = request;
  }

  getValue(key) {
    return this.#read().getValue(key);
  }

  setValue(key, value) {
    return this.#read().setValue(key, value);
  }

  deleteValue(key) {
    return this.#read().deleteValue(key);
  }

  #read() {
    this.#context ??= withTrace(propagation.extract(ROOT_CONTEXT, this.#request.headers));
    return this.#context;
  }
}

// Without a collector nothing makes up ids for a call which came without any, and the services behind
// this Function would each begin a trace of their own.
function withTrace(context) {
  const current = trace.getSpanContext(context);
  if (current && isSpanContextValid(current)) return context;
  return trace.setSpanContext(context, {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    traceFlags: TraceFlags.SAMPLED,
  });
}
