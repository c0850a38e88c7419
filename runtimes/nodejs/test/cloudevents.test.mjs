import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { run, sink } from './running.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const BINARY = { 'ce-type': 't', 'ce-source': 's', 'ce-id': '1', 'ce-specversion': '1.0', 'ce-eventtypeversion': 'v1' };
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

  for (const [what, body, headers, reason] of [
    ['without ce-id', 'x', { 'ce-type': 't', 'ce-source': 's' }, /header ce-id is missing/],
    ['with a structured body which is no object', '[1]', STRUCTURED, /has to be a JSON object/],
    ['with a structured body which is no JSON', '{', STRUCTURED, /JSON/],
  ]) {
    it(what, async () => {
      const response = await server.post('/', body, headers);
      assert.equal(response.status, 400);
      assert.match(await response.text(), reason);
    });
  }
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
    assert.match(server.output(), /emitCloudEvent: type has to be a string/);
  });

  it('fails and says why without a publisher', async (t) => {
    const alone = await (await run('emitter')).healthy();
    t.after(alone.stop);
    assert.equal((await alone.get('/object')).status, 500);
    assert.match(alone.output(), /PUBLISHER_PROXY_ADDRESS is not set/);
  });
});
