// From the start of the process to 200 from /healthz, sources against bundle, with and without a collector.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';

const RUNS = 15;
const TICK_MS = 10;
let port = 18000;

console.log('| server | collector | median, min ms | median CPU ms |\n|---|---|---|---|');
for (const server of ['server.mjs', 'dist/server.mjs']) {
  for (const collector of ['', 'http://127.0.0.1:9/v1/traces']) {
    const runs = [];
    for (let i = 0; i < RUNS; i += 1) runs.push(await start(server, collector));
    const wall = runs.map((run) => run.wall).sort((a, b) => a - b);
    const cpu = runs.map((run) => run.cpu).sort((a, b) => a - b);
    const middle = Math.floor(RUNS / 2);
    console.log(`| ${server} | ${collector ? 'yes' : 'no'} | ${Math.round(wall[middle])}, ${Math.round(wall[0])} | ${cpu[middle]} |`);
  }
}

async function start(server, collector) {
  port += 1;
  const began = performance.now();
  const child = spawn(process.execPath, [server], {
    env: { ...process.env, FUNC_PORT: String(port), FUNCTION_PATH: 'test/fixtures/answers', TRACE_COLLECTOR_ENDPOINT: collector },
    stdio: 'inherit',
  });
  while (!(await healthy())) {
    if (child.exitCode !== null) throw new Error(`${server} exited with ${child.exitCode}; is it built (npm run build)?`);
  }
  const wall = performance.now() - began;
  const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ').slice(13, 15).map(Number);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { wall, cpu: (user + system) * TICK_MS };
}

function healthy() {
  return new Promise((resolve) => {
    get({ port, host: '127.0.0.1', path: '/healthz', agent: false }, (response) => resolve(response.resume().statusCode === 200))
      .on('error', () => setTimeout(resolve, 2, false));
  });
}
