import { createRequire } from 'node:module';
import express from 'express';
import { parseBody } from './body.mjs';
import { allowAnyOrigin } from './cors.mjs';
import { answerRejected } from './rejection.mjs';
import { createMetrics } from './metrics.mjs';
import { createInvoker } from './invocation.mjs';
import { limitTime } from './timeout.mjs';

// Express 4, not 5: handlers get its request and response, and 5 changed both (removed signatures,
// req.query, path patterns).
export function createApp(settings, loaded, tracing) {
  const metrics = createMetrics(settings);
  const app = express();

  if (settings.logRequests) {
    // Loaded on demand: hardly anyone turns it on, and everyone would wait for it.
    const morgan = createRequire(import.meta.url)('morgan');
    app.use(morgan('combined'));
  }
  app.get('/healthz', (_request, response) => {
    response.status(loaded.ready ? 200 : 503).send(loaded.ready ? 'OK' : 'User function is being loaded');
  });
  app.get('/metrics', (_request, response) => {
    response.type('text/plain; version=0.0.4').send(metrics.render());
  });
  app.get('/favicon.ico', (_request, response) => response.sendStatus(204));

  app.use(limitTime(settings.timeoutMs));
  app.use(allowAnyOrigin);
  app.use(parseBody(settings.bodyLimit));
  // A path pattern, and not use(): handlers find the path in request.params[0].
  app.all('*', createInvoker(settings, loaded, { metrics, tracing }));
  app.use(answerRejected);
  return app;
}
