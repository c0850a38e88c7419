import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { run, until } from './running.mjs';

describe('a client', () => {
  let server;
  before(async () => { server = await (await run('echo')).healthy(); });
  after(() => server.stop());

  // Sends bytes as they are, and returns all that comes back until the connection ends.
  async function talk(...parts) {
    const socket = net.connect({ host: '127.0.0.1', port: new URL(server.url).port });
    let received = '';
    socket.on('data', (data) => { received += data; });
    const closed = once(socket, 'close');
    for (const part of parts) {
      socket.write(part);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await closed;
    return received;
  }

  it('of HTTP/1.0 is answered, and its connection closed', async () => {
    const answer = await talk('GET / HTTP/1.0\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(answer, /\r\nConnection: close\r\n/);
  });

  it('which sends several requests at once gets the answers in order', async () => {
    const post = (data, more = '') => `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${data.length}\r\n${more}\r\n${data}`;
    const answer = await talk(post('first') + post('second') + post('third', 'Connection: close\r\n'));
    assert.deepEqual([...answer.matchAll(/"data":"(\w+)"/g)].map(([, data]) => data), ['first', 'second', 'third']);
  });

  it('which sends a request in pieces is understood', async () => {
    const answer = await talk('POST / HTTP/1.1\r\nHost: x\r\nContent-Ty', 'pe: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\n{"a', '\r\n4\r\n":1}\r\n0\r\n\r\n');
    assert.match(answer, /"data":\{"a":1\}/);
  });

  it('which asks before it sends its body is told to go on', async () => {
    const request = http.request(server.url, { method: 'POST', headers: { Expect: '100-continue', 'Content-Type': 'text/plain' } });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('asked first');
    const [response] = await once(request, 'response');
    assert.match(Buffer.concat(await response.toArray()).toString(), /asked first/);
  });

  it('which is no HTTP client gets 400', async () => {
    assert.match(await talk('hello\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });

  it('which leaves in the middle of its body harms no other', async () => {
    const socket = net.connect({ host: '127.0.0.1', port: new URL(server.url).port });
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":');
    await once(socket, 'connect');
    socket.destroy();
    assert.equal((await server.post('/', '5', { 'Content-Type': 'application/json' })).status, 200);
    await until(async () => !server.output().includes('Error'), 'no error in the log');
  });

  it('finds many calls at once each answered with its own', async () => {
    const bodies = Array.from({ length: 200 }, (_, i) => `body ${i}`);
    const answers = await Promise.all(bodies.map(async (body) => (await (await server.post('/', body, { 'Content-Type': 'text/plain' })).json()).data));
    assert.deepEqual(answers, bodies);
  });
});
