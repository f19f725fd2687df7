import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { PROJECT } from '../lib/project.js';
import { run } from '../lib/run.js';

const module = (name: string): string => JSON.stringify(pathToFileURL(join(PROJECT, `build/src/libc/${name}.js`)).href);

/** A thread that is busy loading koffi's functions for a while, or has not begun, when its process ends. */
function program(isBegun: boolean): string {
  const thread = `
    Promise.all([import(${module('bind')}), import(${module('koffi')}), import(${module('thread-loading')})]).then((parts) => {
      const [{ bindAll }, { loadKoffiFrom }, { loadWhole }] = parts;
      const { loading, begins, koffi } = require('node:worker_threads').workerData;
      Atomics.store(begins, 0, 1);
      Atomics.notify(begins, 0);
      if (!${isBegun}) Atomics.wait(begins, 1, 0);
      loadWhole(loading, () => {
        loadKoffiFrom(koffi);
        for (const end = Date.now() + 200; Date.now() < end; ) bindAll({ getpid: 'int getpid()' });
        require('node:fs').writeSync(1, 'loaded');
      });
      setInterval(() => {}, 1000);
    });`;
  return `
    import { Worker } from 'node:worker_threads';
    import { koffiBuild, loadKoffi } from ${module('koffi')};
    import { createLoading, endLoading } from ${module('thread-loading')};
    loadKoffi();
    const loading = createLoading();
    const begins = new Int32Array(new SharedArrayBuffer(8));
    new Worker(${JSON.stringify(thread)}, { eval: true, execArgv: [], workerData: { loading, begins, koffi: koffiBuild() } });
    Atomics.wait(begins, 0, 0, 20_000);
    if (${isBegun}) while (Atomics.load(loading, 0) === 0);
    process.on('exit', () => {
      endLoading(loading);
      Atomics.store(begins, 1, 1);
      Atomics.notify(begins, 1);
    });
    process.exit(7);`;
}

t.test('a process ends while its thread loads', async (t) => {
  for (const isBegun of [true, false]) {
    const args = ['--input-type=module', '-e', program(isBegun)];
    const { code, stdout, stderr } = await run(process.execPath, args, { timeout: 20_000 });
    t.equal(code, 7, `no abort: ${stderr}`);
    t.equal(stdout, isBegun ? 'loaded' : '');
  }
});
