import { isCloudEvent, readCloudEvents } from './cloudevent.mjs';
import { createEvent } from './event.mjs';
import { logError } from './log.mjs';
import { answerRejected } from './rejection.mjs';
import { sendFailure, sendResult } from './response.mjs';

// Returns what calls the user's function for a request: event in, response out, counted and traced.
export function createInvoker(settings, { loaded, metrics, tracing, publisher }) {
  const context = {
    'function-name': settings.functionName,
    runtime: settings.runtime,
    namespace: settings.namespace,
  };
  const services = { tracer: tracing.tracer, publisher };

  return (request, response) => {
    if (!loaded.call) {
      metrics.record({ failed: true, ms: 0 });
      response.status(500).end('User function not loaded');
    } else if (isCloudEvent(request)) {
      callWithEvents(request, response);
    } else {
      tracing.call(request, response, (span) => call(createEvent(request, response, services), span, sendResult));
    }
  };

  // A batch is one call for each of its events, one after another. Answered is what the last one returns, or
  // the first one that fails: the sender can't take back a part of it, and sends all of it again.
  async function callWithEvents(request, response) {
    let events;
    try {
      events = await readCloudEvents(request);
    } catch (error) {
      answerRejected(error, request, response);
      return;
    }
    if (events.length === 0) response.end();
    for (const [i, cloudEvent] of events.entries()) {
      const answer = i === events.length - 1 ? sendResult : () => {};
      const event = createEvent(request, response, services, cloudEvent);
      if (!await tracing.call(request, response, (span) => call(event, span, answer))) return;
    }
  }

  // Returns whether it succeeded: a promise if the function returned one, so that others need none.
  function call(event, span, answer) {
    const { response } = event.extensions;
    const began = performance.now();
    const end = (failed) => {
      span?.end();
      metrics.record({ failed, ms: performance.now() - began });
      return !failed;
    };
    const answerFailure = (error) => {
      logError(error);
      sendFailure(response, error);
    };
    const fail = (error) => {
      span?.fail(error);
      answerFailure(error);
      return end(true);
    };
    const succeed = (result) => {
      try {
        const sending = answer(response, result);
        return sending ? sending.then(() => end(false), fail) : end(false);
      } catch (error) {
        return fail(error);
      }
    };
    const reply = (body, status, headers) => {
      sendResult(response, body, status, headers)?.catch(answerFailure);
    };
    try {
      // A copy: what one call does to its context is not the next one's.
      const result = loaded.call(event, { ...context }, reply);
      return typeof result?.then === 'function' ? result.then(succeed, fail) : succeed(result);
    } catch (error) {
      return fail(error);
    }
  }
}
