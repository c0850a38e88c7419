import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { run, until } from './running.mjs';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const traced = { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` } };

async function call(t, env, path) {
  const server = await (await run('logger', env)).healthy();
  t.after(server.stop);
  await (await server.get(path, traced)).text();
  return server;
}

const jsonLines = (server) => server.output().trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));

describe('logs are plain by default', () => {
  it('as user code wrote them', async (t) => {
    const server = await call(t, {}, '/log');
    await until(() => server.output() === "order 5 of { customer: 'x' }\n", () => `the line, got ${server.output()}`);
  });

  it('an error with its stack and the trace of its request', async (t) => {
    const server = await call(t, {}, '/throw');
    await until(() => new RegExp(`Error: secret detail\\n\\s+at [^]*trace_id: ${TRACE}`).test(server.output()), () => server.output());
  });
});

for (const collector of ['', 'http://127.0.0.1:9/v1/traces']) {
  describe(`logs with FUNC_LOG_FORMAT=json ${collector ? 'and a collector that is down' : 'without a collector'}`, () => {
    const env = { FUNC_LOG_FORMAT: 'json', TRACE_COLLECTOR_ENDPOINT: collector };

    it('are an object a line, with the trace', async (t) => {
      const server = await call(t, env, '/log');
      await until(() => server.output().includes('order'), 'the line');
      const [{ time, span_id: span, ...line }] = jsonLines(server);
      assert.deepEqual(line, { level: 'info', message: "order 5 of { customer: 'x' }", trace_id: TRACE });
      assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
      assert.match(span, /^[0-9a-f]{16}$/);
    });

    it('have an error and its stack in one line', async (t) => {
      const server = await call(t, env, '/throw');
      await until(() => server.output().includes('secret detail'), 'the line');
      const [line] = jsonLines(server);
      assert.deepEqual([line.level, line.trace_id], ['error', TRACE]);
      assert.match(line.message, /^Error: secret detail\n\s+at /);
    });

    it('say the level of what user code writes', async (t) => {
      const server = await call(t, env, '/error');
      await until(() => server.output().includes('odd'), 'the line');
      assert.equal(jsonLines(server)[0].level, 'error');
    });
  });
}
