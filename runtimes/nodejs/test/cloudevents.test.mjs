import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { run, sink, until } from './running.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const BINARY = { 'ce-type': 't', 'ce-source': 's', 'ce-id': '1', 'ce-specversion': '1.0', 'ce-eventtypeversion': 'v1' };
const BATCH = { 'Content-Type': 'application/cloudevents-batch+json; charset=utf-8' };
const STRUCTURED = { 'Content-Type': 'application/cloudevents+json' };

describe('a function called with a CloudEvent sees', () => {
  let server;
  before(async () => { server = await (await run('echo')).healthy(); });
  after(() => server.stop());
  const call = async (body, headers) => (await server.post('/', body, headers)).json();

  it('all of a binary one', async () => {
    const { ce, data } = await call('{"a":1}', { ...BINARY, 'ce-time': '2020-01-01T00:00:00Z', 'Content-Type': 'application/json' });
    assert.deepEqual(ce, { ...BINARY, 'ce-time': '2020-01-01T00:00:00.000Z', 'ce-datacontenttype': 'application/json' });
    assert.deepEqual(data, { a: 1 });
  });

  it('all of a structured one', async () => {
    const { ce, data } = await call(JSON.stringify({
      type: 't', source: 's', id: '1', specversion: '1.0', eventtypeversion: 'v1', time: '2020-01-01T01:00:00+01:00',
      datacontenttype: 'application/json', data: { a: 1 },
    }), STRUCTURED);
    assert.deepEqual(ce, { ...BINARY, 'ce-time': '2020-01-01T00:00:00.000Z', 'ce-datacontenttype': 'application/json' });
    assert.deepEqual(data, { a: 1 });
  });

  it('the current time if the event has none', async () => {
    const { ce } = await call('x', { ...BINARY, 'Content-Type': 'text/plain' });
    assert.match(ce['ce-time'], TIME);
  });

  it('a new id and version 1.0 if a structured one has none', async () => {
    const { ce, data } = await call('{"type":"t"}', STRUCTURED);
    assert.match(ce['ce-id'], UUID);
    assert.equal(ce['ce-specversion'], '1.0');
    assert.equal(data, undefined);
  });

  it('the bytes of data_base64', async () => {
    const echo = await call('{"type":"t","source":"s","data_base64":"aGk="}', STRUCTURED);
    assert.deepEqual([echo.type, echo.data], ['Buffer', 'hi']);
  });

  it('its source and version in buildResponseCloudEvent', async () => {
    const { built } = await call('x', { ...BINARY, 'Content-Type': 'text/plain' });
    assert.deepEqual(built, {
      type: 'ty', source: 's', eventtypeversion: 'v1', specversion: '1.0', id: 'id1', data: { x: 1 }, datacontenttype: 'application/json',
    });
  });

  it('no more than was given in buildResponseCloudEvent without an event', async () => {
    const { built } = await call('x', { 'Content-Type': 'text/plain' });
    assert.deepEqual(built, { type: 'ty', id: 'id1', data: { x: 1 }, datacontenttype: 'application/json' });
  });
});

describe('a CloudEvent is refused with 400 and a reason', () => {
  let server;
  before(async () => { server = await (await run('echo')).healthy(); });
  after(() => server.stop());

  const structured = (attributes) => JSON.stringify({ type: 't', source: 's', id: '1', specversion: '1.0', ...attributes });
  for (const [what, body, headers, reason] of [
    ['without ce-id', 'x', { 'ce-type': 't', 'ce-source': 's' }, /header ce-id is missing/],
    ['without ce-source', 'x', { 'ce-type': 't', 'ce-id': '1', 'ce-specversion': '1.0' }, /header ce-source is missing/],
    ['without ce-type', 'x', { 'ce-source': 's', 'ce-id': '1', 'ce-specversion': '1.0' }, /header ce-type is missing/],
    ['of a version that is not known', 'x', { ...BINARY, 'ce-specversion': '2.0' }, /specversion &quot;2.0&quot; is not supported; use 1.0 or 0.3/],
    ['with a source that is no URI reference', 'x', { ...BINARY, 'ce-source': 'a b' }, /source must match format &quot;uri-reference&quot;/],
    ['with a structured body which is no object', '[1]', STRUCTURED, /has to be a JSON object/],
    ['with a structured body which is no JSON', '{', STRUCTURED, /JSON/],
    ['without a structured type', structured({ type: undefined }), STRUCTURED, /type/],
    ['with a structured type which is no string', structured({ type: 5 }), STRUCTURED, /type must be string/],
    ['with a structured id which is no string', structured({ id: 5 }), STRUCTURED, /id must be string/],
    ['of a structured version that is not known', structured({ specversion: '0.2' }), STRUCTURED, /specversion/],
    ['with a batch which is no array', '{}', BATCH, /has to be a JSON array/],
    ['with one of a batch that is malformed', `[${structured({})},${structured({ type: 5 })}]`, BATCH, /type must be string, in event 2 of the batch/],
  ]) {
    it(what, async () => {
      const response = await server.post('/', body, headers);
      assert.equal(response.status, 400);
      assert.match(await response.text(), reason);
    });
  }
});

describe("the specification's examples arrive", () => {
  let server;
  before(async () => { server = await (await run('echo')).healthy(); });
  after(() => server.stop());

  const attributes = { specversion: '1.0', type: 'com.example.someevent', source: '/mycontext', id: 'A234-1234-1234', time: '2018-04-05T17:31:00Z' };
  const seen = {
    'ce-specversion': '1.0', 'ce-type': 'com.example.someevent', 'ce-source': '/mycontext', 'ce-id': 'A234-1234-1234', 'ce-time': '2018-04-05T17:31:00.000Z',
  };
  for (const [what, data, dataSeen] of [
    ['XML as a string', { datacontenttype: 'application/xml', data: '<much wow="xml"/>' }, '<much wow="xml"/>'],
    ['bytes', { datacontenttype: 'application/vnd.apache.thrift.binary', data_base64: 'aGk=' }, 'hi'],
    ['a JSON object', { datacontenttype: 'application/json', data: { appinfoA: 'abc', appinfoB: 123, appinfoC: true } }, { appinfoA: 'abc', appinfoB: 123, appinfoC: true }],
    ['a JSON number without a type', { data: 1.5 }, 1.5],
    ['a JSON zero', { data: 0 }, 0],
    ['a JSON false', { data: false }, false],
    ['an empty string', { data: '' }, ''],
    ['a JSON string', { datacontenttype: 'application/json', data: 'I am just a string' }, 'I am just a string'],
    ['extensions and an empty subject', { comexampleextension1: 'value', comexampleothervalue: 5, data: {} }, {}],
  ]) {
    it(`structured: ${what}`, async () => {
      const headers = { 'Content-Type': 'application/cloudevents+json; charset=UTF-8' };
      const echo = await (await server.post('/', JSON.stringify({ ...attributes, ...data }), headers)).json();
      const { 'ce-datacontenttype': type, ...ce } = echo.ce;
      assert.deepEqual([ce, type, echo.data], [seen, data.datacontenttype, dataSeen]);
    });
  }

  for (const [what, type, body, dataSeen] of [
    ['JSON', 'application/json; charset=utf-8', '{"a":1}', { a: 1 }],
    ['a JSON string', 'application/json', '"{1"', '{1'],
    ['text', 'text/plain', 'Hello World!', 'Hello World!'],
    ['XML', 'application/xml', '<a/>', '<a/>'],
    ['bytes', 'application/octet-stream', 'raw', 'raw'],
  ]) {
    it(`binary: ${what}`, async () => {
      const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`CE-${name}`, value]));
      const echo = await (await server.post('/', body, { ...headers, 'Content-Type': type, 'ce-sub-rosa': 'an extension' })).json();
      const { 'ce-datacontenttype': typeSeen, ...ce } = echo.ce;
      assert.deepEqual([ce, typeSeen, echo.data], [seen, type, dataSeen]);
    });
  }

  it('of version 0.3', async () => {
    const { ce, data } = await (await server.post('/', JSON.stringify({ ...attributes, specversion: '0.3', data: 'x' }), STRUCTURED)).json();
    assert.deepEqual([ce['ce-specversion'], data], ['0.3', 'x']);
  });
});

describe('a batch', () => {
  let server;
  before(async () => { server = await (await run('counter')).healthy(); });
  after(() => server.stop());
  const batch = (...data) => JSON.stringify(data.map((each, i) => ({ type: 't', source: 's', id: `${i}`, specversion: '1.0', data: each })));
  const send = async (body) => {
    const response = await server.post('/', body, BATCH);
    return [response.status, await response.text()];
  };

  it('is a call for each of its events, in order, and the last answer is the answer', async () => {
    assert.deepEqual(await send(batch('a', 'b', 'c')), [200, '["0 a","1 b","2 c"]']);
  });

  it('ends with the first call that fails', async () => {
    assert.deepEqual(await send(batch('d', 'fail', 'e')), [500, 'Internal server error']);
    assert.deepEqual(await send(batch('f')), [200, '["0 a","1 b","2 c","0 d","0 f"]']);
  });

  it('without events is no call', async () => {
    assert.deepEqual(await send('[]'), [200, '']);
  });

  it('is counted by its calls', async () => {
    const metrics = await (await server.get('/metrics')).text();
    assert.match(metrics, /^function_calls_total 6$/m);
    assert.match(metrics, /^function_failures_total 1$/m);
  });
});

describe('a function which emits a CloudEvent', () => {
  let server, publisher;
  before(async () => {
    publisher = await sink();
    server = await (await run('emitter', { PUBLISHER_PROXY_ADDRESS: publisher.url })).healthy();
  });
  after(async () => { await server.stop(); publisher.stop(); });

  it('posts an object as a structured event with its attributes', async () => {
    assert.deepEqual(await (await server.get('/object')).json(), { status: 200 });
    const sent = publisher.requests.at(-1);
    const { id, time, ...event } = JSON.parse(sent.body);
    assert.equal(sent.method, 'POST');
    assert.equal(sent.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    assert.match(id, UUID);
    assert.match(time, TIME);
    assert.deepEqual(event, {
      type: 'order.created', source: 'shop', specversion: '1.0', datacontenttype: 'application/json', data: { id: 5 }, eventtypeversion: 'v1',
    });
  });

  it('posts a string as text', async () => {
    await server.get('/string');
    const { datacontenttype, data } = JSON.parse(publisher.requests.at(-1).body);
    assert.deepEqual([datacontenttype, data], ['text/plain', 'hi']);
  });

  it('posts what publishCloudEvent is given, and is told that it is deprecated', async () => {
    await server.get('/publish');
    assert.equal(JSON.parse(publisher.requests.at(-1).body).type, 'old');
    assert.match(server.output(), /deprecated/);
  });

  it('passes its trace on', async () => {
    await server.get('/object', { headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } });
    assert.match(publisher.requests.at(-1).headers.traceparent, /^00-0af7651916cd43dd8448eb211c80319c-/);
  });

  it('fails on an event without a type', async () => {
    assert.equal((await server.get('/no-type')).status, 500);
    assert.match(server.output(), /emitCloudEvent: type must NOT have fewer than 1 characters/);
  });

  it('posts bytes as data_base64', async () => {
    await server.get('/bytes');
    const sent = JSON.parse(publisher.requests.at(-1).body);
    assert.deepEqual([sent.datacontenttype, sent.data_base64, sent.data], ['application/octet-stream', 'aGk=', undefined]);
  });

  it('fails on an extension whose name the specification does not allow', async () => {
    assert.equal((await server.get('/bad-extension')).status, 500);
    assert.match(server.output(), /emitCloudEvent: invalid extension name: Not-Valid/);
  });

  it('sends the same event once more when the connection breaks', async (t) => {
    const bodies = [];
    const flaky = createServer(async (request, response) => {
      bodies.push(Buffer.concat(await request.toArray()).toString());
      if (bodies.length === 1) request.socket.destroy();
      else response.writeHead(204).end();
    }).listen(0, '127.0.0.1');
    await once(flaky, 'listening');
    const emitter = await (await run('emitter', { PUBLISHER_PROXY_ADDRESS: `http://127.0.0.1:${flaky.address().port}/` })).healthy();
    t.after(async () => { await emitter.stop(); flaky.closeAllConnections(); flaky.close(); });
    assert.deepEqual(await (await emitter.get('/object')).json(), { status: 204 });
    assert.equal(bodies.length, 2);
    assert.equal(bodies[0], bodies[1]);
  });

  it('sends an event that the publisher refuses once', async (t) => {
    let posts = 0;
    const refusing = createServer((request, response) => {
      posts += 1;
      response.writeHead(503).end();
    }).listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    const emitter = await (await run('emitter', { PUBLISHER_PROXY_ADDRESS: `http://127.0.0.1:${refusing.address().port}/` })).healthy();
    t.after(async () => { await emitter.stop(); refusing.closeAllConnections(); refusing.close(); });
    assert.equal((await emitter.get('/object')).status, 500);
    assert.match(emitter.output(), /status code 503/);
    assert.equal(posts, 1);
  });

  it('gives up on a publisher that does not answer', async (t) => {
    let posts = 0;
    const silent = createServer(() => { posts += 1; }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const env = { PUBLISHER_PROXY_ADDRESS: `http://127.0.0.1:${silent.address().port}/`, FUNC_TIMEOUT: '1' };
    const emitter = await (await run('emitter', env)).healthy();
    t.after(async () => { await emitter.stop(); silent.closeAllConnections(); silent.close(); });
    await emitter.get('/object');
    await until(() => emitter.output().includes('timeout of 1000ms exceeded'), 'the reason in the log');
    assert.equal(posts, 1);
  });

  it('fails and says why without a publisher', async (t) => {
    const alone = await (await run('emitter')).healthy();
    t.after(alone.stop);
    assert.equal((await alone.get('/object')).status, 500);
    assert.match(alone.output(), /PUBLISHER_PROXY_ADDRESS is not set/);
  });
});
