import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { run, sink, until } from './running.mjs';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER_SPAN = 'b7ad6b7169203331';

for (const collected of [false, true]) {
  describe(`a function's own requests ${collected ? 'with' : 'without'} a collector`, () => {
    let server, target, collector;
    before(async () => {
      [target, collector] = await Promise.all([sink(), sink()]);
      server = await (await run('caller', { TARGET: target.url, TRACE_COLLECTOR_ENDPOINT: collected ? collector.url : '' })).healthy();
    });
    after(async () => { await server.stop(); target.stop(); collector.stop(); });

    const callWith = async (client, headers) => {
      assert.equal((await server.get(client, { headers })).status, 200);
      return target.requests.at(-1).headers;
    };
    for (const client of ['/axios', '/fetch', '/http']) {
      it(`begin a trace by ${client.slice(1)} if the caller only sampled`, async () => {
        const sent = await callWith(client, { 'X-B3-Sampled': '1' });
        assert.match(sent.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
        assert.match(sent['x-b3-traceid'], /^[0-9a-f]{32}$/);
        assert.match(sent['x-b3-spanid'], /^[0-9a-f]{16}$/);
        assert.equal(sent['x-b3-sampled'], '1');
      });
      it(`continue the caller's W3C trace by ${client.slice(1)}`, async () => {
        const sent = await callWith(client, { traceparent: `00-${TRACE}-${CALLER_SPAN}-01`, baggage: 'k=v' });
        assert.equal(sent['x-b3-traceid'], TRACE);
        assert.equal(sent.traceparent.split('-')[1], TRACE);
        assert.equal(sent.baggage, 'k=v');
      });
    }
    it("continue the caller's B3 trace", async () => {
      const sent = await callWith('/axios', { 'x-b3-traceid': TRACE, 'x-b3-spanid': CALLER_SPAN, 'x-b3-sampled': '1' });
      assert.equal(sent.traceparent.split('-')[1], TRACE);
    });
    it('stay unsampled if the caller decided so', async () => {
      const sent = await callWith('/axios', { traceparent: `00-${TRACE}-${CALLER_SPAN}-00` });
      assert.match(sent.traceparent, /-00$/);
    });
  });
}

it('a collector gets the spans of user calls and of nothing else', async (t) => {
  const [target, collector] = await Promise.all([sink(), sink()]);
  const server = await run('caller', {
    TARGET: `${target.url}?key=secret`, TRACE_COLLECTOR_ENDPOINT: collector.url, FUNC_NAME: 'shop', SERVICE_NAMESPACE: 'prod',
  });
  t.after(async () => { await server.stop(); target.stop(); collector.stop(); });
  await server.healthy();
  for (const path of ['/metrics', '/favicon.ico']) await server.get(path);
  await server.get('/axios', { headers: { traceparent: `00-${TRACE}-${CALLER_SPAN}-01` } });
  await server.get('/fetch', { headers: { traceparent: `00-${TRACE}-${CALLER_SPAN}-01` } });

  const received = () => collector.requests.flatMap((request) => JSON.parse(request.body).resourceSpans);
  const spans = () => received().flatMap((r) => r.scopeSpans).flatMap((s) => s.spans);
  await until(() => spans().length >= 8, () => `8 spans, got ${spans().map((s) => s.name)}`);

  assert.deepEqual(spans().map((s) => s.name).sort(), ['GET', 'GET', 'GET', 'GET', 'own', 'own', 'userFunction', 'userFunction']);
  assert.ok(spans().every((s) => s.traceId === TRACE));
  const byId = new Map(spans().map((s) => [s.spanId, s]));
  const client = spans().find((s) => s.kind === 3);
  const lineage = [];
  for (let s = client; s; s = byId.get(s.parentSpanId)) lineage.push([s.name, s.kind]);
  assert.deepEqual(lineage, [['GET', 3], ['own', 1], ['userFunction', 1], ['GET', 2]]);
  assert.doesNotMatch(JSON.stringify(spans()), /secret/);
  const service = received()[0].resource.attributes.find((a) => a.key === 'service.name').value.stringValue;
  assert.equal(service, 'shop.prod');
});

for (const [what, listen] of [['is down', false], ['never answers', true]]) {
  it(`a collector that ${what} delays no answer, and neither the log nor the end`, async (t) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address();
    if (!listen) await new Promise((closed) => silent.close(closed));
    const server = await (await run('answers', { TRACE_COLLECTOR_ENDPOINT: `http://127.0.0.1:${port}/v1/traces` })).healthy();
    t.after(async () => { await server.stop(); silent.closeAllConnections(); silent.close(); });
    const durations = [];
    for (let i = 0; i < 10; i += 1) {
      const began = performance.now();
      const answers = await Promise.all(Array.from({ length: 20 }, async () => (await server.get('/string')).text()));
      assert.ok(answers.every((answer) => answer === 'hello'));
      durations.push(performance.now() - began);
    }
    assert.ok(Math.max(...durations) < 2000, `the slowest 20 took ${Math.max(...durations)} ms`);
    const began = Date.now();
    server.signal('SIGTERM');
    assert.equal(await server.exited, 0);
    assert.ok(Date.now() - began < 5000);
    assert.equal(server.output().replaceAll('Shutting down..\n', ''), '');
  });
}
