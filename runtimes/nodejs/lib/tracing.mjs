import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import { traceOutgoing } from './outgoing.mjs';
import { withGeneratedParent } from './traceids.mjs';

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
    // Runs work within the trace of the request which asked for it.
    withRequest(request, response, work) {
      const caller = propagation.extract(ROOT_CONTEXT, request.headers);
      const span = tracer.startSpan(request.method, serverSpan(request), caller);
      response.once('close', () => {
        span.setAttribute('http.response.status_code', response.statusCode);
        if (response.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      });
      return context.with(withGeneratedParent(trace.setSpan(caller, span)), work);
    },
    withSpan(name, work) {
      return tracer.startActiveSpan(name, async (span) => {
        try {
          return await work();
        } catch (error) {
          span.recordException(error instanceof Error ? error : String(error));
          span.setStatus({ code: SpanStatusCode.ERROR });
          throw error;
        } finally {
          span.end();
        }
      });
    },
  };
}

function serverSpan(request) {
  return {
    kind: SpanKind.SERVER,
    attributes: {
      'http.request.method': request.method,
      'url.scheme': request.protocol,
      'url.path': request.path,
      'server.address': request.hostname,
      'network.protocol.version': request.httpVersion,
      'user_agent.original': request.get('user-agent'),
    },
  };
}
