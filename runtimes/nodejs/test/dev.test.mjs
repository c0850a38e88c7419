import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, until } from './running.mjs';

// A Function in a folder that has nothing to do with the server's.
async function develop(t, files) {
  const folder = mkdtempSync(path.join(tmpdir(), 'function-'));
  const write = (name, text) => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const server = await run(folder, {}, 'dev.mjs');
  t.after(async () => {
    server.signal('SIGTERM');
    await server.exited;
    rmSync(folder, { recursive: true });
  });
  const answer = () => server.get('/').then((response) => response.text(), () => undefined);
  return { server, write, answers: (text) => until(async () => (await answer()) === text, () => `the answer ${text}; it said:\n${server.output()}`) };
}

describe('a Function in a folder, run by one command', () => {
  it('is loaded anew when its handler changes, or a file that it uses', async (t) => {
    const { write, answers } = await develop(t, {
      'handler.js': "module.exports = { main: () => require('./text').text };",
      'text.js': "exports.text = 'first';",
    });
    await answers('first');
    write('text.js', "exports.text = 'second';");
    await answers('second');
    write('deeper/down.js', "module.exports = 'third';");
    write('handler.js', "module.exports = { main: () => require('./deeper/down') };");
    await answers('third');
    write('deeper/down.js', "module.exports = 'fourth';");
    await answers('fourth');
  });

  it('answers again after a mistake was corrected', async (t) => {
    const { server, write, answers } = await develop(t, { 'handler.js': 'module.exports = {' });
    await until(() => server.output().includes('tried again when one of its files changes'), 'the mistake in the log');
    assert.match(server.output(), /SyntaxError/);
    write('handler.js', "module.exports = { main: () => 'corrected' };");
    await answers('corrected');
  });

  for (const [kind, files] of [
    ['CommonJS', { 'handler.js': "const axios = require('axios'); module.exports = { main: () => typeof axios.post };" }],
    ['an ES module', { 'package.json': '{"type":"module"}', 'handler.js': "import axios from 'axios'; export const main = () => typeof axios.post;" }],
  ]) {
    it(`finds what comes with the runtime, as ${kind}`, async (t) => {
      const { answers } = await develop(t, files);
      await answers('function');
    });
  }

  it('has a version of its own, if there is one', async (t) => {
    const { answers } = await develop(t, {
      'handler.js': "module.exports = { main: () => require('axios').own };",
      'node_modules/axios/index.js': "exports.own = 'its own';",
    });
    await answers('its own');
  });
});
