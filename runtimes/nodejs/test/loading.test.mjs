import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { run, status, until } from './running.mjs';

describe('source which cannot be loaded keeps the server from becoming healthy', () => {
  for (const [fixture, reason, inLog] of [
    ['syntax', "handler.js:3: SyntaxError: Unexpected token '}'", /SyntaxError/],
    ['esm-syntax', "handler.js:2: SyntaxError: Unexpected token '}'", /SyntaxError/],
    ['missing', "handler.js:2: Error: Cannot find module 'not-installed'", /Require stack/],
    ['throws', 'handler.js:2: Error: cannot log in as $DB_PASSWORD', /cannot log in as hunter2222\n\s+at /],
    ['absent', /^handler\.js: Error: Cannot find module/, /ERR_MODULE_NOT_FOUND/],
  ]) {
    it(`${fixture}: exit code 1, and the reason is the termination message`, async (t) => {
      const server = await run(fixture, { DB_PASSWORD: 'hunter2222' });
      t.after(server.stop);
      assert.equal(await server.exited, 1);
      const [firstLine] = readFileSync(server.terminationLog, 'utf8').split('\n');
      if (reason instanceof RegExp) assert.match(firstLine, reason);
      else assert.equal(firstLine, reason);
      assert.ok(statSync(server.terminationLog).size <= 1024);
      assert.match(server.output(), inLog);
    });
  }
});

it('while its source is being loaded a server is up, but neither healthy nor callable', async (t) => {
  const release = `${import.meta.dirname}/../node_modules/.release-${process.pid}`;
  const server = await run('slowload', { RELEASE: release });
  t.after(server.stop);
  await until(async () => (await status(`${server.url}/healthz`)) === 503, '503 from /healthz');
  const early = await server.get('/');
  assert.deepEqual([early.status, await early.text()], [500, 'User function not loaded']);
  writeFileSync(release, '');
  await server.healthy();
  assert.equal(await (await server.get('/')).text(), 'loaded');
});

it('a file without the handler is healthy, and calls are told so', async (t) => {
  const server = await (await run('nomain')).healthy();
  t.after(server.stop);
  const response = await server.get('/');
  assert.deepEqual([response.status, await response.text()], [500, 'User function not loaded']);
  assert.match(server.output(), /"main" is not exported/);
});

it('an ES module runs and imports what the runtime brings', async (t) => {
  const server = await (await run('esm')).healthy();
  t.after(server.stop);
  assert.equal(await (await server.get('/')).text(), 'esm function function');
});

it('FUNC_HANDLER names another export', async (t) => {
  const server = await (await run('nomain', { FUNC_HANDLER: 'notMain' })).healthy();
  t.after(server.stop);
  assert.equal(await (await server.get('/')).text(), 'x');
});

it('a limit which is no number is said, and the default holds', async (t) => {
  const server = await (await run('nomain', { FUNC_TIMEOUT: 'soon' })).healthy();
  t.after(server.stop);
  assert.match(server.output(), /FUNC_TIMEOUT: "soon" is not a number/);
});
