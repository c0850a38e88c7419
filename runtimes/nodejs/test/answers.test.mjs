import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { run, until } from './running.mjs';

const JSON_TYPE = 'application/json; charset=utf-8';

describe('a caller gets', () => {
  let server;
  before(async () => {
    server = await run('answers', { FUNC_NAME: 'shop', SERVICE_NAMESPACE: 'prod', FUNC_RUNTIME: 'nodejs22' });
    await server.healthy();
  });
  after(() => server.stop());

  // [path, status, body, content type]
  for (const [path, status, body, type = null] of [
    ['/string', 200, 'hello'],
    ['/object', 200, '{"a":1}', JSON_TYPE],
    ['/array', 200, '[1,2]', JSON_TYPE],
    ['/typed-buffer', 200, 'png', 'image/png'],
    ['/stream', 200, 'abc', 'application/octet-stream'],
    ['/web-stream', 200, 'web', 'application/octet-stream'],
    ['/typed-stream', 200, '1,2', 'text/csv; charset=utf-8'],
    ['/stream-fails-early', 500, 'Internal server error', 'application/octet-stream'],
    ['/number', 200, '42'],
    ['/true', 200, 'true'],
    ['/promise', 200, '7'],
    ['/bigint', 200, '10'],
    ['/zero', 200, ''],
    ['/false', 200, ''],
    ['/null', 200, ''],
    ['/undefined', 200, ''],
    ['/empty', 200, ''],
    ['/throw', 500, 'Internal server error'],
    ['/reject', 500, 'Internal server error'],
    ['/circular', 500, 'Internal server error'],
    ['/throw-string', 500, 'boomstr'],
    ['/teapot', 418, 'tea'],
    ['/bad-request', 400, ''],
    ['/xml', 200, '<a/>', 'text/xml; charset=utf-8'],
    ['/header', 200, 'set'],
    ['/callback', 201, 'x'],
    ['/callback-stream', 201, 'abc', 'application/octet-stream'],
    ['/callback-status', 202, 'Accepted', 'text/plain; charset=utf-8'],
    ['/ended', 200, 'own', 'text/html; charset=utf-8'],
    ['/returns-response', 201, '{"own":true}', JSON_TYPE],
    ['/late-end', 200, ''],
    ['/context', 200, '{"function-name":"shop","runtime":"nodejs22","namespace":"prod"}', JSON_TYPE],
    ['/params', 200, '/params'],
  ]) {
    it(`${status} "${body}" from ${path}`, async () => {
      const response = await server.get(path);
      assert.deepEqual([response.status, await response.text(), response.headers.get('content-type')], [status, body, type]);
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.equal(response.headers.get('x-powered-by'), 'Express');
    });
  }

  it('the bytes of a returned Buffer', async () => {
    const response = await server.get('/buffer');
    assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [0, 255, 1]);
    assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  });

  it('a broken connection when a stream fails halfway, which is logged and counted', async () => {
    const failures = async () => Number(/^function_failures_total (\d+)/m.exec(await (await server.get('/metrics')).text())[1]);
    const before = await failures();
    await assert.rejects(async () => (await server.get('/stream-fails')).text());
    await until(() => server.output().includes('source is gone'), 'the error in the log');
    assert.equal(await failures(), before + 1);
  });

  it('the length of a string', async () => {
    assert.equal((await server.get('/string')).headers.get('content-length'), '5');
  });

  it('headers set on the event or by the callback', async () => {
    assert.equal((await server.get('/header')).headers.get('x-own'), 'yes');
    assert.equal((await server.get('/callback')).headers.get('x-from'), 'callback');
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    it(`an answer to ${method}`, async () => {
      assert.equal(await (await server.get('/string', { method })).text(), 'hello');
    });
  }

  it('no body for HEAD, though the function runs', async () => {
    const response = await server.get('/teapot', { method: 'HEAD' });
    assert.deepEqual([response.status, await response.text()], [418, '']);
  });

  it('the next answer after a callback of the last one threw', async () => {
    assert.equal(await (await server.get('/late-throw')).text(), 'sent');
    await until(() => server.output().includes('Caught exception: Error: late'), 'the exception in the log');
    assert.equal((await server.get('/string')).status, 200);
  });

  it('no detail of an error, which is in the log instead', async () => {
    await server.get('/throw');
    await until(() => /Error: secret detail\n\s+at /.test(server.output()), 'the stack in the log');
  });

  it('a preflight answer without the function being called', async () => {
    const response = await server.get('/throw', {
      method: 'OPTIONS',
      headers: { 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'x-a, x-b' },
    });
    assert.deepEqual([response.status, await response.text()], [200, '']);
    assert.equal(response.headers.get('access-control-allow-methods'), 'PUT');
    assert.equal(response.headers.get('access-control-allow-headers'), 'x-a, x-b');
  });

  it('a plain OPTIONS answer which allows nothing by name', async () => {
    const response = await server.get('/throw', { method: 'OPTIONS' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('access-control-allow-methods'), null);
    assert.equal(response.headers.get('access-control-allow-headers'), null);
  });

  it('204 for the favicon', async () => {
    assert.equal((await server.get('/favicon.ico')).status, 204);
  });

  it('OK from /healthz without CORS', async () => {
    const response = await server.get('/healthz');
    assert.deepEqual([response.status, await response.text(), response.headers.get('content-type')], [200, 'OK', 'text/html; charset=utf-8']);
    assert.equal(response.headers.get('access-control-allow-origin'), null);
  });

  it('nothing in the log for a request unless it is asked for', async () => {
    await server.get('/string');
    assert.doesNotMatch(server.output(), /"GET \/string/);
  });
});

it('requests are logged with KYMA_INTERNAL_LOGGER_ENABLED', async (t) => {
  const server = await run('answers', { KYMA_INTERNAL_LOGGER_ENABLED: 'true' });
  t.after(server.stop);
  await server.healthy();
  await server.get('/string');
  await until(() => server.output().includes('"GET /string HTTP/1.1" 200'), 'the request in the log');
});

it('metrics count calls, failures and durations', async (t) => {
  const server = await run('answers');
  t.after(server.stop);
  await server.healthy();
  for (const path of ['/string', '/slow', '/throw']) await server.get(path);
  const response = await server.get('/metrics');
  const text = await response.text();
  assert.match(response.headers.get('content-type'), /^text\/plain/);
  for (const line of [
    /^target_info\{.*\} 1$/m,
    /^# TYPE function_calls_total counter$/m,
    /^function_calls_total 3$/m,
    /^function_failures_total 1$/m,
    /^# TYPE function_duration_miliseconds histogram$/m,
    /^function_duration_miliseconds_bucket\{le="250"\} 2$/m,
    /^function_duration_miliseconds_bucket\{le="\+Inf"\} 3$/m,
    /^function_duration_miliseconds_sum [\d.]+$/m,
    /^function_duration_miliseconds_count 3$/m,
    /^# TYPE http_server_request_duration_seconds histogram$/m,
    /^http_server_request_duration_seconds_bucket\{http_request_method="GET",http_response_status_code="200",url_scheme="http",le="0.25"\} 1$/m,
    /^http_server_request_duration_seconds_bucket\{http_request_method="GET",http_response_status_code="200",url_scheme="http",le="0.5"\} 2$/m,
    /^http_server_request_duration_seconds_count\{http_request_method="GET",http_response_status_code="500",url_scheme="http"\} 1$/m,
  ]) assert.match(text, line);
});
