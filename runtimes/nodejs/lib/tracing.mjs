import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import { createBudget } from './budget.mjs';
import { pathOf } from './express.mjs';
import { traceOutgoing } from './outgoing.mjs';
import { CallerContext } from './callercontext.mjs';

// Headers are passed on always; spans are recorded, and their SDK is loaded, with a collector only.
export async function startTracing({ traceCollector, functionName, namespace }) {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new CompositePropagator({
    // The last one which finds a trace wins: W3C, where a mesh sends both.
    propagators: [
      new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
      new W3CTraceContextPropagator(),
      new W3CBaggagePropagator(),
    ],
  }));

  let shutdown = async () => {};
  if (traceCollector) {
    const { exportSpans } = await import('./spanexport.mjs');
    shutdown = exportSpans(traceCollector, [functionName, namespace].filter(Boolean).join('.'));
  }
  const tracer = trace.getTracer('function-runtime-nodejs');
  traceOutgoing(tracer);

  return {
    tracer,
    shutdown,
    // Runs a call of the user's function within the trace of the request that asked for it.
    call: traceCollector ? recorded(tracer) : propagated,
  };
}

function propagated(request, _response, work) {
  return context.with(new CallerContext(request), work);
}

// Who calls more often has traces enough, and pays with answers for what the collector would drop.
const RECORDED_PER_SECOND = 1000;

function recorded(tracer) {
  const isWithinBudget = createBudget(RECORDED_PER_SECOND);
  return (request, response, work) => {
    if (!isWithinBudget()) return propagated(request, response, work);
    const caller = propagation.extract(ROOT_CONTEXT, request.headers);
    const server = tracer.startSpan(request.method, serverSpan(request), caller);
    response.on('close', () => {
      server.setAttribute('http.response.status_code', response.statusCode);
      if (response.statusCode >= 500) server.setStatus({ code: SpanStatusCode.ERROR });
      server.end();
    });
    const parent = trace.setSpan(caller, server);
    const call = tracer.startSpan('userFunction', undefined, parent);
    return context.with(trace.setSpan(parent, call), work, undefined, {
      fail(error) {
        call.recordException(error instanceof Error ? error : String(error));
        call.setStatus({ code: SpanStatusCode.ERROR });
      },
      end: () => call.end(),
    });
  };
}

function serverSpan(request) {
  return {
    kind: SpanKind.SERVER,
    attributes: {
      'http.request.method': request.method,
      'url.scheme': 'http',
      'url.path': pathOf(request.originalUrl),
      'server.address': request.headers.host,
      'network.protocol.version': request.httpVersion,
      'user_agent.original': request.headers['user-agent'],
    },
  };
}
