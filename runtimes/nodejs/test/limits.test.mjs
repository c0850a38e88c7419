import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { run } from './running.mjs';

const MEGABYTE = 1024 * 1024;

describe('with FUNC_TIMEOUT=1', () => {
  let server;
  before(async () => { server = await (await run('answers', { FUNC_TIMEOUT: '1' })).healthy(); });
  after(() => server.stop());

  it('a slower function is answered for with 408', async () => {
    const response = await server.get('/never');
    assert.deepEqual([response.status, await response.text(), response.headers.get('content-type')],
      [408, 'Request Timeout', 'text/plain; charset=utf-8']);
  });

  it('a response which streams for longer is complete', async () => {
    assert.equal(await (await server.get('/streamed')).text(), 'abcde');
  });
});

describe('a body', () => {
  let server;
  before(async () => { server = await (await run('echo')).healthy(); });
  after(() => server.stop());

  it('over 1 MB is refused with 413', async () => {
    const response = await server.post('/', 'x'.repeat(1.1 * MEGABYTE), { 'Content-Type': 'text/plain' });
    assert.equal(response.status, 413);
    assert.match(response.headers.get('content-type'), /^text\/html/);
  });

  it('over 1 MB is taken with REQ_MB_LIMIT=2', async (t) => {
    const wide = await (await run('echo', { REQ_MB_LIMIT: '2' })).healthy();
    t.after(wide.stop);
    assert.equal((await wide.post('/', 'x'.repeat(1.1 * MEGABYTE), { 'Content-Type': 'text/plain' })).status, 200);
  });

  it('of malformed JSON is refused with 400 and no stack', async () => {
    const response = await server.post('/', '{"a":<b>', { 'Content-Type': 'application/json' });
    const body = await response.text();
    assert.equal(response.status, 400);
    assert.match(response.headers.get('content-type'), /^text\/html/);
    assert.doesNotMatch(body, /node_modules|at JSON|<b>/);
    assert.match(body, /JSON/);
  });

  for (const [type, sent, seen, data] of [
    ['application/json', '{"a":[1]}', 'object', { a: [1] }],
    ['application/json', '5', 'number', 5],
    ['application/json; charset=utf-8', '"s"', 'string', 's'],
    ['text/plain', 'hi', 'string', 'hi'],
    ['application/x-www-form-urlencoded', 'a[b]=1&c=2', 'object', { a: { b: '1' }, c: '2' }],
    ['application/octet-stream', 'raw', 'Buffer', 'raw'],
    ['application/xml', '<a/>', 'Buffer', '<a/>'],
  ]) {
    it(`of ${type} ${sent} is event.data as ${seen}`, async () => {
      const echo = await (await server.post('/', sent, { 'Content-Type': type })).json();
      assert.deepEqual([echo.type, echo.data], [seen, data]);
    });
  }

  it('of multipart is left unread and gives no event.data', async () => {
    const form = new FormData();
    form.set('a', '1');
    const echo = await (await server.get('/', { method: 'POST', body: form })).json();
    assert.ok(!echo.keys.includes('data'));
  });

  it('which is absent gives an empty object, and the event has the known keys', async () => {
    const echo = await (await server.get('/')).json();
    assert.deepEqual(echo.data, {});
    assert.deepEqual(echo.keys, ['tracer', 'extensions', 'setResponseHeader', 'setResponseContentType', 'setResponseStatus',
      'publishCloudEvent', 'buildResponseCloudEvent', 'emitCloudEvent', 'data']);
  });
});
