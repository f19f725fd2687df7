import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

t.test('a push to an address loads neither node:net nor streams', async (t) => {
  const dir = tempDir(t);
  const [src, module, hook, loaded] = ['src', 'module', 'hook.cjs', 'loaded'].map((name) => join(dir, name));
  mkdirSync(src);
  mkdirSync(module);
  writeFileSync(join(src, 'file'), 'content\n');
  const write = `require('node:fs').writeFileSync(${JSON.stringify(loaded)}, process.moduleLoadList.join('\\n'))`;
  writeFileSync(hook, `process.on('exit', () => ${write});\n`);
  const daemon = await startDaemon(t, RSYNC, {
    dir: join(dir, 'daemon'),
    modules: { m: { path: module, 'read only': 'no' } },
  });
  const options = { env: { NODE_OPTIONS: `--require=${hook}` } };
  // Where nobody reads what it prints; whether that is a terminal must not be asked of node:tty, which loads both.
  const silent = { name: 'sh', command: 'sh', prefix: ['-c', 'exec "$@" >/dev/null', 'sh'], remotePath: '' };
  const command = [TSRSYNC.command, ...TSRSYNC.prefix, '-a', `${src}/`, daemon.url('m/')];
  const { code, stderr } = await runProgram(silent, command, options);
  t.equal(code, 0, stderr);
  t.equal(readFileSync(join(module, 'file'), 'utf8'), 'content\n');
  const modules = readFileSync(loaded, 'utf8').split('\n');
  t.ok(modules.includes('NativeModule fs'));
  for (const name of ['net', 'stream']) t.notOk(modules.includes(`NativeModule ${name}`), name);
});
