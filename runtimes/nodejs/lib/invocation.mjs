import { createEvent } from './event.mjs';
import { createPublisher } from './publisher.mjs';
import { sendFailure, sendResult } from './response.mjs';

// One call of the user's function: event in, response out, counted and traced.
export function createInvoker(settings, loaded, { metrics, tracing }) {
  const publisher = createPublisher(settings.publisher);
  const context = {
    'function-name': settings.functionName,
    runtime: settings.runtime,
    namespace: settings.namespace,
  };

  return (request, response, next) => {
    if (!loaded.call) {
      metrics.record({ failed: true, ms: 0 });
      return response.status(500).end('User function not loaded');
    }
    let event;
    try {
      event = createEvent(request, response, { tracer: tracing.tracer, publisher });
    } catch (error) {
      return next(error);
    }
    return tracing.withRequest(request, response, () => call(event, response));
  };

  async function call(event, response) {
    const started = performance.now();
    const reply = (body, status, headers) => sendResult(response, body, status, headers);
    let failed = false;
    try {
      // A copy: what one call does to its context is not the next one's.
      const result = await tracing.withSpan('userFunction', () => loaded.call(event, { ...context }, reply));
      sendResult(response, result);
    } catch (error) {
      failed = true;
      console.error(error?.stack ?? error);
      sendFailure(response, error);
    }
    metrics.record({ failed, ms: performance.now() - started });
  }
}
