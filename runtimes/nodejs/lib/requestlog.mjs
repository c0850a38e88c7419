import { createRequire } from 'node:module';

// Loaded on demand: hardly anyone turns it on, and everyone would wait for it.
export function createRequestLog() {
  const log = createRequire(import.meta.url)('morgan')('combined');
  return (request, response) => log(request, response, () => {});
}
