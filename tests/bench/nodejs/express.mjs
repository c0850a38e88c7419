// The way of the original's server, to compare with: Express with the same middleware in the same order,
// instrumented by OpenTelemetry, each call counted, timed and in a span. Written for this benchmark by what
// the contract says of it (section 6.2); its answers are those of the Functions of function/.
import { createRequire } from 'node:module';
import path from 'node:path';

// CommonJS, so that the instrumentation, registered first, finds what it patches.
const require = createRequire(import.meta.url);
const { trace, metrics } = require('@opentelemetry/api');
const { CompositePropagator, W3CTraceContextPropagator } = require('@opentelemetry/core');
const { PrometheusExporter } = require('@opentelemetry/exporter-prometheus');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { B3InjectEncoding, B3Propagator } = require('@opentelemetry/propagator-b3');
const { MeterProvider } = require('@opentelemetry/sdk-metrics');
const { AlwaysOnSampler, NodeTracerProvider, ParentBasedSampler } = require('@opentelemetry/sdk-trace-node');

new NodeTracerProvider({ sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }) }).register({
  propagator: new CompositePropagator({
    propagators: [new W3CTraceContextPropagator(), new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER })],
  }),
});
const exporter = new PrometheusExporter({ preventServerStart: true });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] });

const express = require('express');
const { main } = require(path.resolve(process.env.FUNCTION_PATH, 'handler.js'));

const tracer = trace.getTracer('express');
const meter = metrics.getMeter('express');
const calls = meter.createCounter('function_calls_total');
const failures = meter.createCounter('function_failures_total');
const duration = meter.createHistogram('function_duration_miliseconds');
const limit = '1mb';
const timeoutMs = 180_000;

const app = express();
app.use(express.json({ type: ['application/json', 'application/cloudevents+json'], strict: false, limit }));
app.use(express.text({ type: 'text/*', limit }));
app.use(express.urlencoded({ extended: true, limit }));
app.use(express.raw({ type: () => true, limit }));
app.use((request, response, next) => {
  response.setTimeout(timeoutMs, () => response.sendStatus(408));
  next();
});
app.get('/healthz', (request, response) => response.send('OK'));
app.get('/metrics', (request, response) => exporter.getMetricsRequestHandler(request, response));
app.use((request, response, next) => {
  response.header('Access-Control-Allow-Origin', '*');
  next();
});
app.all('*', (request, response) => tracer.startActiveSpan('userFunction', async (span) => {
  const began = Date.now();
  calls.add(1);
  try {
    const result = await main({ tracer, data: request.body, extensions: { request, response } }, {});
    if (Buffer.isBuffer(result)) response.end(result);
    else if (typeof result === 'object') response.json(result);
    else response.end(String(result));
  } catch (error) {
    failures.add(1);
    response.status(500).end('Internal server error');
  }
  duration.record(Date.now() - began);
  span.end();
}));
app.listen(process.env.FUNC_PORT);
