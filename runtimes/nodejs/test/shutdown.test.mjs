import { it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { run, sink, until } from './running.mjs';

it('SIGTERM ends an idle server at once without a drain time', async (t) => {
  const server = await (await run('answers')).healthy();
  t.after(server.stop);
  server.signal('SIGTERM');
  assert.equal(await server.exited, 0);
  assert.match(server.output(), /Shutting down\.\./);
});

it('SIGTERM ends an idle server after the drain time of two seconds by default', async (t) => {
  const server = await (await run('answers', { FUNC_DRAIN_SECONDS: '' })).healthy();
  t.after(server.stop);
  const began = Date.now();
  server.signal('SIGTERM');
  assert.equal(await server.exited, 0);
  const took = Date.now() - began;
  assert.ok(took >= 1900 && took < 4000, `took ${took} ms`);
});

it('SIGINT skips the drain', async (t) => {
  const server = await (await run('answers', { FUNC_DRAIN_SECONDS: '60' })).healthy();
  t.after(server.stop);
  server.signal('SIGINT');
  assert.equal(await server.exited, 0);
});

it('a call which began before SIGTERM is answered, and its connection closed', async (t) => {
  const server = await (await run('answers')).healthy();
  t.after(server.stop);
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const answer = new Promise((resolve, reject) => http.get(`${server.url}/slow`, { agent }, async (response) => {
    resolve([response.headers.connection, Buffer.concat(await response.toArray()).toString()]);
  }).on('error', reject));
  // Another call's answer tells that the first one has arrived: connections are accepted in order.
  await server.get('/string');
  server.signal('SIGTERM');
  assert.deepEqual(await answer, ['close', 'slow answer']);
  assert.equal(await server.exited, 0);
});

it('no call fails while the cluster still routes to a server which drains', async (t) => {
  const server = await (await run('answers', { FUNC_DRAIN_SECONDS: '1' })).healthy();
  t.after(server.stop);
  server.signal('SIGTERM');
  await until(() => server.output().includes('Shutting down..'), 'the drain to begin');
  const routedUntil = Date.now() + 500;
  let calls = 0;
  while (Date.now() < routedUntil) {
    const response = await server.get('/string');
    assert.equal(response.headers.get('connection'), 'close');
    assert.equal(await response.text(), 'hello');
    calls += 1;
  }
  assert.ok(calls > 10, `${calls} calls`);
  assert.equal(await server.exited, 0);
});

it('spans of the last call are exported before the exit', async (t) => {
  const collector = await sink();
  const server = await (await run('answers', { TRACE_COLLECTOR_ENDPOINT: collector.url })).healthy();
  t.after(async () => { await server.stop(); collector.stop(); });
  await server.get('/string');
  server.signal('SIGTERM');
  assert.equal(await server.exited, 0);
  assert.match(collector.requests.map((r) => r.body).join(), /userFunction/);
});
