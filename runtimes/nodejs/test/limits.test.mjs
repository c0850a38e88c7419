import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { run, until } from './running.mjs';

const MEGABYTE = 1024 * 1024;

describe('with FUNC_TIMEOUT=1', () => {
  let server;
  before(async () => { server = await (await run('answers', { FUNC_TIMEOUT: '1' })).healthy(); });
  after(() => server.stop());

  it('a slower function is answered for with 408', async () => {
    const response = await server.get('/never');
    assert.deepEqual([response.status, await response.text(), response.headers.get('content-type')],
      [408, 'Request Timeout', 'text/plain; charset=utf-8']);
    await until(() => server.output().includes('GET /never got no answer within 1 s (FUNC_TIMEOUT)'), 'the reason in the log');
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
    assert.match(await response.text(), /larger than 1 MB, .* \(REQ_MB_LIMIT\)/);
  });

  it('over 1 MB is refused with 413 also when it is compressed', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
    const response = await server.post('/', gzipSync(`"${'x'.repeat(1.1 * MEGABYTE)}"`), headers);
    assert.equal(response.status, 413);
    assert.match(await response.text(), /REQ_MB_LIMIT/);
  });

  it('of a length which is not said before is taken in pieces, and refused over 1 MB', async () => {
    const pieces = (count) => new ReadableStream({
      start(controller) {
        for (let i = 0; i < count; i += 1) controller.enqueue(Buffer.alloc(MEGABYTE / 4, 'x'));
        controller.close();
      },
    });
    const send = (body) => fetch(server.url, { method: 'POST', body, duplex: 'half', headers: { 'Content-Type': 'text/plain' } });
    assert.equal((await (await send(pieces(4))).json()).data.length, MEGABYTE);
    assert.equal((await send(pieces(5))).status, 413);
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
    ['APPLICATION/JSON;charset="UTF-8"', '{"a":1}', 'object', { a: 1 }],
    ['application/json', '\ufeff{"a":1}', 'object', { a: 1 }],
    ['application/json', '', 'object', {}],
    ['text/plain; charset=iso-8859-1', Buffer.from([0xe4]), 'string', 'ä'],
    ['text/plain; format=flowed; charset=utf-8', 'ä', 'string', 'ä'],
    ['not a content type', 'raw', 'Buffer', 'raw'],
  ]) {
    it(`of ${type} ${sent} is event.data as ${seen}`, async () => {
      const echo = await (await server.post('/', sent, { 'Content-Type': type })).json();
      assert.deepEqual([echo.type, echo.data], [seen, data]);
    });
  }

  it('which is compressed is event.data as if it was not', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
    assert.deepEqual((await (await server.post('/', gzipSync('{"a":1}'), headers)).json()).data, { a: 1 });
  });

  for (const [what, headers] of [
    ['charset', { 'Content-Type': 'application/json; charset=iso-8859-1' }],
    ['compression', { 'Content-Type': 'application/json', 'Content-Encoding': 'zstd-of-the-future' }],
  ]) {
    it(`in an unknown ${what} is refused with 415`, async () => {
      assert.equal((await server.post('/', '{}', headers)).status, 415);
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
