import { it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const read = (name) => readFileSync(path.join(import.meta.dirname, '..', name), 'utf8');

it('the Dockerfile makes the image that image.yaml describes', () => {
  const dockerfile = read('Dockerfile').replaceAll(/\\\n\s*/g, '').split('\n');
  const of = (instruction) => dockerfile.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));
  const image = read('image.yaml');
  const one = (key) => new RegExp(`^${key}: (.*)$`, 'm').exec(image)[1];
  const block = (key) => new RegExp(`^${key}:\\n((?:  .*\\n)+)`, 'm').exec(image)[1].split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
  const list = (key) => block(key).map((line) => line.replace(/^- /, ''));

  assert.deepEqual(of('RUN'), list('install'));
  assert.deepEqual(of('COPY').filter((copied) => !copied.startsWith('--from')).flatMap((copied) => copied.split(' ').slice(0, -1)).sort(), list('files').sort());
  assert.equal(of('USER').at(-1), one('user'));
  assert.equal(of('WORKDIR').at(-1), one('workdir'));
  assert.deepEqual(JSON.parse(of('ENTRYPOINT')[0]), one('entrypoint').slice(1, -1).split(', '));
  const variables = Object.fromEntries([...of('ENV')[0].matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  assert.deepEqual(variables, Object.fromEntries(block('env').map((line) => line.split(': ')).map(([name, value]) => [name, value.replaceAll('"', '')])));
});
