import { execFileSync } from 'node:child_process';
import t from 'tap';

/** KiB of the second of the two spaces that new objects have: it is taken when the first one is full. */
const SPACE = 1024;

/** What V8 is told holds for a whole process, so each case has one: KiB by which the room for new objects has grown. */
function growth(isAllowed: boolean, lists: readonly number[], expected = 0): number {
  const module = new URL('../../src/session/engine.js', import.meta.url).href;
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { allowEngineLimits, countListed, expectListed } from ${JSON.stringify(module)};
    const room = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size >> 10;
    if (${isAllowed}) allowEngineLimits();
    for (const count of ${JSON.stringify(lists)}) countListed(count);
    expectListed(${expected});
    const before = room();
    const kept = [];
    for (let i = 0; i < 2e6; i++) kept[i % 50_000] = { i };
    console.log(room() - before);
  `;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'latin1' }));
}

t.test('long lists keep the room for new objects small, in a program of our own', async (t) => {
  const kept = growth(true, [2000, 1999, 1]);
  t.ok(kept <= SPACE, `${kept} KiB`);
  t.ok(growth(true, [2000, 1999]) > SPACE, 'shorter lists');
  t.ok(growth(true, [1000], 3000) <= SPACE, 'a list of which much is to come');
  t.ok(growth(false, [20_000]) > SPACE, 'in a program of somebody else');
});

/** Calls of a small function, in thousands, before V8 has optimised it in a program of our own that has said `calls`. */
function callsToOptimise(said: string): number {
  const module = new URL('../../src/session/engine.js', import.meta.url).href;
  const program = `
    import { allowEngineLimits, countListed, countTransferred, stayForLong } from ${JSON.stringify(module)};
    allowEngineLimits();
    ${said};
    let sum = 0;
    const add = (n) => { sum += n % 7; };
    const isOptimised = new Function('f', 'return (%GetOptimizationStatus(f) & 16) !== 0');
    let calls = 0;
    for (; !isOptimised(add) && calls < 1e6; calls += 1000) for (let i = 0; i < 1000; i++) add(i);
    console.log(calls / 1000);
  `;
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation', '--no-use-osr'];
  return Number(
    execFileSync(process.execPath, [...flags, '--input-type=module', '-e', program], { encoding: 'latin1' }),
  );
}

// Later ones have no such budget.
const skip = Number.parseInt(process.versions.v8, 10) > 11 ? 'needs the V8 of Node 20' : false;

t.test('a run of many files optimises late, one process for many sessions by the rules of V8', { skip }, async (t) => {
  const own = callsToOptimise('countTransferred(100); countListed(100)');
  for (const many of ['countTransferred(1000)', 'countListed(1000)']) {
    const late = callsToOptimise(many);
    const lasting = callsToOptimise(`stayForLong(); ${many}`);
    t.ok(late > 2 * own, `${many}: ${late} thousand calls, ${own} with few files`);
    t.ok(late > 2 * lasting, `${many}: ${lasting} thousand calls in a process that lasts`);
  }
});

/** Whether a process that has said `calls` takes it that it has one run to do. */
function saysOneRun(calls: string): boolean {
  const module = new URL('../../src/session/engine.js', import.meta.url).href;
  const program = `
    import { allowEngineLimits, hasOneRun, stayForLong } from ${JSON.stringify(module)};
    ${calls}
    console.log(hasOneRun());
  `;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'latin1' }) === 'true\n';
}

t.test('only a program of our own that does not last has one run', async (t) => {
  t.ok(saysOneRun('allowEngineLimits()'));
  t.notOk(saysOneRun('allowEngineLimits(); stayForLong()'));
  t.notOk(saysOneRun(''), 'in a program of somebody else');
});

/** Whether roles have long turns in a process that has said `calls`, with or without files that are handed over. */
function sharesTurns(calls: string, handsOver: boolean): boolean {
  const at = (name: string) => JSON.stringify(new URL(`../../src/session/${name}.js`, import.meta.url).href);
  const program = `
    import { allowEngineLimits, stayForLong } from ${at('engine')};
    import { sharesTurns } from ${at('hand-over')};
    ${calls}
    console.log(sharesTurns({ connection: { handOver: ${handsOver ? '{}' : 'null'} } }));
  `;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'latin1' }) === 'true\n';
}

t.test('roles have long turns where a copy has a process to itself', async (t) => {
  t.ok(sharesTurns('allowEngineLimits()', true));
  t.notOk(sharesTurns('allowEngineLimits()', false), 'the other side is in another process');
  t.notOk(sharesTurns('allowEngineLimits(); stayForLong()', true));
  t.notOk(sharesTurns('', true), 'in a program of somebody else');
});
