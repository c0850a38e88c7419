import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..');
// SERVER=dist/server.mjs runs the same tests on what the image runs.
const SERVER = process.env.SERVER ?? 'server.mjs';

// Starts the real server on a free port, with one of the fixtures, or a folder elsewhere, as its Function.
export async function run(fixture, env = {}, program = SERVER) {
  const port = await freePort();
  const terminationLog = path.join(mkdtempSync(path.join(tmpdir(), 'runtime-')), 'termination-log');
  const child = spawn(process.execPath, [path.resolve(ROOT, program)], {
    env: {
      PATH: process.env.PATH,
      FUNC_PORT: String(port),
      FUNCTION_PATH: path.resolve(import.meta.dirname, 'fixtures', fixture),
      TERMINATION_MESSAGE_PATH: terminationLog,
      FUNC_DRAIN_SECONDS: '0',
      ...env,
    },
  });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  child.stderr.on('data', (data) => { output += data; });
  const exited = once(child, 'exit').then(([code]) => code);
  const url = `http://127.0.0.1:${port}`;

  return {
    url,
    terminationLog,
    exited,
    output: () => output,
    signal: (name) => child.kill(name),
    get: (pathname, options) => fetch(url + pathname, options),
    post: (pathname, body, headers) => fetch(url + pathname, { method: 'POST', body, headers }),
    async healthy() {
      await until(async () => child.exitCode !== null || (await status(`${url}/healthz`)) === 200, () => `healthy server; it said:\n${output}`);
      if (child.exitCode !== null) throw new Error(`server exited with ${child.exitCode}; it said:\n${output}`);
      return this;
    },
    async stop() {
      // One that runs others ends them, unless it has ended.
      child.kill(program === 'dev.mjs' ? 'SIGTERM' : 'SIGKILL');
      await exited;
    },
  };
}

// An HTTP server which keeps what it was sent.
export async function sink() {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    requests.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.setHeader('Content-Type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A test which fails before it stops its sink ends nevertheless.
  server.unref();
  return {
    requests,
    url: `http://127.0.0.1:${server.address().port}/sink`,
    stop: () => { server.closeAllConnections(); server.close(); },
  };
}

export async function until(condition, what, limitMs = 10_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function status(url) {
  return fetch(url).then((response) => response.status, () => undefined);
}

async function freePort() {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
