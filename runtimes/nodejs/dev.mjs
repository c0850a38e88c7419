// Runs a Function from a folder on a developer's machine, by the server that runs it in the cluster, and
// anew with each change to its files:
//
//   npm run dev -- FOLDER        (or FUNCTION_PATH=FOLDER; the port is FUNC_PORT, 8080)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, watch } from 'node:fs';
import path from 'node:path';

// An editor saves a file in several steps.
const QUIET_MS = 50;
const UNWATCHED = new Set(['node_modules', '.git']);

const folder = path.resolve(process.argv[2] ?? process.env.FUNCTION_PATH ?? 'function');
const [major] = process.versions.node.split('.');
const env = {
  FUNC_NAME: path.basename(folder),
  SERVICE_NAMESPACE: 'local',
  FUNC_RUNTIME: `nodejs${major}`,
  // Nobody routes to this machine.
  FUNC_DRAIN_SECONDS: '0',
  ...process.env,
  FUNCTION_PATH: folder,
  // In the image a Function lies below the server, and finds what that brings along: by these two here.
  NODE_PATH: path.join(import.meta.dirname, 'node_modules'),
};
const args = ['--import', path.join(import.meta.dirname, 'dev-modules.mjs'), path.join(import.meta.dirname, 'server.mjs')];

const watchers = [];
let server;
let stopping = false;
let restart;

watchFiles(folder);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);
start();

function start() {
  server = spawn(process.execPath, args, { env, stdio: 'inherit' });
  server.once('exit', (code) => {
    if (stopping) process.exit(code ?? 1);
    if (code) console.error(`The Function in ${folder} cannot run; it is tried again when one of its files changes.`);
  });
}

async function stop(signal) {
  stopping = true;
  if (server.exitCode !== null) process.exit(0);
  server.kill(signal);
}

function watchFiles(directory) {
  const watcher = watch(directory, () => {
    clearTimeout(restart);
    restart = setTimeout(reload, QUIET_MS);
  });
  // The directory was removed.
  watcher.on('error', () => watcher.close());
  watchers.push(watcher);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory() && !UNWATCHED.has(entry.name)) watchFiles(path.join(directory, entry.name));
  }
}

async function reload() {
  if (stopping) return;
  console.error('Files changed, loading anew..');
  // There may be new directories among them.
  for (const watcher of watchers.splice(0)) watcher.close();
  watchFiles(folder);
  if (server.exitCode === null) {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
  start();
}
