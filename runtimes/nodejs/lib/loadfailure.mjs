import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const KUBERNETES_TERMINATION_LOG = '/dev/termination-log';
const MAX_BYTES = 1024;
const SHORTEST_SECRET = 8;

// The log gets all of it; the termination message, which ends up in the pod's status, one line.
export function reportLoadFailure(error, { source, terminationLog }, env = process.env) {
  console.error(`User function could not be loaded from ${source.directory}:`, error);
  const message = describeLoadFailure(error, source, env);
  try {
    // r+ writes the file which the kubelet mounted and creates none elsewhere.
    writeFileSync(terminationLog || KUBERNETES_TERMINATION_LOG, message, { flag: terminationLog ? 'w' : 'r+' });
  } catch (cause) {
    if (terminationLog || cause.code !== 'ENOENT') {
      console.error(`write termination message: ${cause.message}`);
    }
  }
}

// One line, `handler.js:3: SyntaxError: Unexpected token '}'`, with file and line where they are known.
export function describeLoadFailure(error, source, env) {
  const name = error instanceof Error ? error.name : 'thrown';
  const [text] = String(error instanceof Error ? error.message : error).split('\n');
  const line = `${locate(error, source)}: ${name}: ${mask(text.replaceAll(`${source.directory}/`, ''), env)}`;
  return Buffer.from(line).subarray(0, MAX_BYTES).toString().replace(/\uFFFD$/, '') + '\n';
}

function locate(error, { directory, module }) {
  const handler = path.join(directory, `${module}.js`);
  const stack = String(error?.stack ?? '');
  const place = placeIn(stack, directory)
    // V8 keeps the place of an ES module's syntax error to itself; a check of the file tells it.
    ?? (error instanceof SyntaxError ? placeIn(checkSyntax(handler), directory) : undefined)
    ?? importerIn(stack, directory)
    ?? handler;
  return path.relative(directory, place);
}

// The first `file:line` below the directory, whether a syntax error's heading or a stack frame.
function placeIn(stack, directory) {
  for (const [, file, line] of stack.matchAll(/(?:^|\(|at |async )((?:file:\/\/)?\/[^\s():]+):(\d+)(?=[:\s)]|$)/gm)) {
    const plain = file.startsWith('file://') ? fileURLToPath(file) : file;
    if (plain.startsWith(`${directory}/`)) return `${plain}:${line}`;
  }
  return undefined;
}

// A failed `import` of a missing package has no frame, its message names who asked for it.
function importerIn(stack, directory) {
  const importer = /imported from (\/\S+)/.exec(stack)?.[1];
  return importer?.startsWith(`${directory}/`) ? importer : undefined;
}

function checkSyntax(file) {
  return spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5000 }).stderr ?? '';
}

// A message such as "cannot log in with hunter22" would put a Secret's value into the pod's status.
function mask(text, env) {
  return Object.entries(env)
    .filter(([, value]) => value.length >= SHORTEST_SECRET)
    .sort(([, a], [, b]) => b.length - a.length)
    .reduce((masked, [name, value]) => masked.replaceAll(value, `$${name}`), text);
}
