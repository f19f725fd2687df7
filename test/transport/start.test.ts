import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/** Runs the command as `sh` is told to ("$@"); which of Node's modules it has loaded at its end. */
async function loadedBy(t: Test, how: string, args: string[]): Promise<string[]> {
  const dir = tempDir(t);
  const [hook, loaded] = ['hook.cjs', 'loaded'].map((name) => join(dir, name));
  const write = `require('node:fs').writeFileSync(${JSON.stringify(loaded)}, process.moduleLoadList.join('\\n'))`;
  writeFileSync(hook, `process.on('exit', () => ${write});\n`);
  const shell = { name: 'sh', command: 'sh', prefix: ['-c', how, 'sh'], remotePath: '' };
  const command = [TSRSYNC.command, ...TSRSYNC.prefix, ...args];
  const { code, stderr } = await runProgram(shell, command, { env: { NODE_OPTIONS: `--require=${hook}` } });
  t.equal(code, 0, stderr);
  const modules = readFileSync(loaded, 'utf8').split('\n');
  t.ok(modules.includes('NativeModule fs'));
  return modules;
}

t.test('a push to an address loads neither node:net nor streams', async (t) => {
  const dir = tempDir(t);
  const [src, module] = ['src', 'module'].map((name) => join(dir, name));
  mkdirSync(src);
  mkdirSync(module);
  writeFileSync(join(src, 'file'), 'content\n');
  const daemon = await startDaemon(t, RSYNC, {
    dir: join(dir, 'daemon'),
    modules: { m: { path: module, 'read only': 'no' } },
  });
  // Where nobody reads what it prints; whether that is a terminal must not be asked of node:tty, which loads both.
  const modules = await loadedBy(t, 'exec "$@" >/dev/null', ['-a', `${src}/`, daemon.url('m/')]);
  t.equal(readFileSync(join(module, 'file'), 'utf8'), 'content\n');
  for (const name of ['net', 'stream']) t.notOk(modules.includes(`NativeModule ${name}`), name);
});

t.test('a copy loads no node:crypto, and its thread none of what this process would print with', async (t) => {
  const dir = tempDir(t);
  const [src, dst] = ['src', 'dst'].map((name) => join(dir, name));
  for (let i = 0; i < 20; i++) {
    mkdirSync(join(src, `d${i}`), { recursive: true });
    for (let k = 0; k < 100; k++) writeFileSync(join(src, `d${i}`, `f${k}`), 'content\n');
  }
  const modules = await loadedBy(t, '"$@" | cat', ['-a', `${src}/`, `${dst}/`]);
  t.equal(readFileSync(join(dst, 'd19', 'f99'), 'utf8'), 'content\n');
  t.ok(modules.includes('NativeModule worker_threads'), 'there was a thread');
  for (const name of ['crypto', 'net']) t.notOk(modules.includes(`NativeModule ${name}`), name);
});
