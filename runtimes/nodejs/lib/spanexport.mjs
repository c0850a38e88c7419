import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';

// A caller who doesn't sample is followed, all other calls are recorded. Returns what flushes the rest.
export function exportSpans(url, serviceName) {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new BatchSpanProcessor({
      exporter: new OTLPTraceExporter({ url }),
      // A second, not five: who looks at a trace has just made the call.
      scheduledDelayMillis: 1000,
    })],
  });
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
}
