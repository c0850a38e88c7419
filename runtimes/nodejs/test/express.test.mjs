import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { run } from './running.mjs';

describe("Express's request and response", () => {
  let server;
  before(async () => { server = await (await run('express')).healthy(); });
  after(() => server.stop());

  it('know the request', async () => {
    const response = await server.get('/request?a=1', { headers: { 'X-Own': 'yes', 'X-Requested-With': 'xmlhttprequest', Accept: 'application/json' } });
    assert.deepEqual(await response.json(), {
      originalUrl: '/request?a=1', path: '/request', hostname: '127.0.0.1', protocol: 'http', ip: '::ffff:127.0.0.1',
      json: 'json', type: null, header: 'yes', xhr: true, params: { 0: '/request' },
    });
  });

  it('parse a query with nested names', async () => {
    assert.deepEqual(await (await server.get('/query?a[b]=1&c=2&c=3')).json(), { a: { b: '1' }, c: ['2', '3'] });
    assert.deepEqual(await (await server.get('/query')).json(), {});
  });

  for (const [path, status, body, headers] of [
    ['/cookie', 200, 'set', { 'set-cookie': 'a=b; Path=/; HttpOnly' }],
    ['/redirect', 302, 'Found. Redirecting to /elsewhere', { location: '/elsewhere' }],
    ['/jsonp?callback=f', 200, '/**/ typeof f === \'function\' && f({"a":1});', { 'content-type': 'text/javascript; charset=utf-8' }],
    ['/attachment', 200, '1,2', { 'content-disposition': 'attachment; filename="a.csv"', 'x-many': '1, 2', vary: 'Accept', link: '</2>; rel="next"' }],
    ['/locals', 200, '{"a":1}', {}],
    ['/instances', 200, '{"request":true,"response":true,"same":true,"app":"string"}', {}],
    ['/app/7?q=1', 200, '/app 7 1', {}],
  ]) {
    it(`answer ${path}`, async () => {
      const response = await server.get(path, { redirect: 'manual', headers: { Accept: '*/*' } });
      assert.deepEqual([response.status, await response.text()], [status, body]);
      for (const [name, value] of Object.entries(headers)) assert.equal(response.headers.get(name), value);
    });
  }

  it('choose a format by what is accepted', async () => {
    assert.equal(await (await server.get('/format', { headers: { Accept: 'text/plain' } })).text(), 'as text');
    assert.equal(await (await server.get('/format', { headers: { Accept: 'application/json' } })).text(), '{"as":"json"}');
    assert.equal((await server.get('/format', { headers: { Accept: 'image/png' } })).status, 406);
  });

  it('send a file, and 404 for one that is missing', async () => {
    const sent = await server.get('/file');
    assert.equal(await sent.text(), readFileSync(`${import.meta.dirname}/fixtures/express/handler.js`, 'utf8'));
    assert.equal((await server.get('/no-file')).status, 404);
  });

  it('answer 304 to who has the object already', async () => {
    const etag = (await server.get('/locals')).headers.get('etag');
    assert.match(etag, /^W\/"7-/);
    const response = await server.get('/locals', { headers: { 'If-None-Match': etag, 'Cache-Control': 'max-age=0' } });
    assert.deepEqual([response.status, await response.text()], [304, '']);
  });

  it('send the length of an object for HEAD, and no body', async () => {
    const response = await server.get('/locals', { method: 'HEAD' });
    assert.deepEqual([response.headers.get('content-length'), await response.text()], ['7', '']);
  });

  it('refuse a path that cannot be decoded with 400', async () => {
    assert.equal((await server.get('/%zz')).status, 400);
  });
});
