import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import t from 'tap';

/** Runs a program whose function `takes` says whether V8 takes a code cache that was made under its own flags. */
function run(program: string): unknown {
  const module = (path: string) => JSON.stringify(new URL(`../../src/libc/${path}.js`, import.meta.url).href);
  const head = `
    import { Script } from 'node:vm';
    import { beginLoad, setEngineFlag } from ${module('engine-flags')};
    import { ThreadProgram } from ${module('thread-program')};
    // V8 knows the text of a cache by its length, and takes one that it has met before from memory.
    let turn = 10;
    const text = () => '(function () { return ' + turn++ + '; })';
    const cachedData = new Script(text()).createCachedData();
    const takes = () => !new Script(text(), { cachedData }).cachedDataRejected;
    const setKept = () => setEngineFlag('--no-flush-bytecode', '--flush-bytecode');
    const setLate = () => setEngineFlag('--max-inlined-bytecode-size-cumulative=150', '--max-inlined-bytecode-size-cumulative=920');
    const said = [takes()];
  `;
  const args = ['--input-type=module', '-e', `${head}${program}\nconsole.log(JSON.stringify(said));`];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'latin1' }));
}

const base = (dir: string): string => JSON.stringify(pathToFileURL(`${dir}/`).href);

t.test('what Node loads is loaded under the flags that its code cache was made with', async (t) => {
  const said = run(`
    setKept();
    said.push(takes());
    const first = beginLoad();
    const second = beginLoad();
    setLate();
    said.push(takes());
    first();
    first();
    said.push(takes());
    second();
    said.push(takes());
  `);
  t.same(said, [true, false, true, true, false]);
});

t.test('so is what a thread begins with', async (t) => {
  const dir = t.testdir({ 'idle.cjs': 'setTimeout(() => {}, 1e6);' });
  const said = run(`
    setKept();
    setLate();
    said.push(takes());
    const thread = new ThreadProgram(${base(dir)}, './none.js', './idle.cjs').start(null);
    said.push(takes());
    await new Promise((resolve) => thread.on('online', resolve));
    said.push(takes());
    await thread.terminate();
  `);
  t.same(said, [true, false, true, false]);
});

t.test('and a thread that cannot be had changes nothing', async (t) => {
  const said = run(`
    setKept();
    const thread = new ThreadProgram(${base(t.testdir())}, './none.js', './none.cjs').start(null);
    said.push(thread === null, takes());
  `);
  t.same(said, [true, true, false]);
});
