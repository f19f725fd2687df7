import { spawnSync } from 'node:child_process';
import { cpSync, utimesSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Route, routeName, World } from '../lib/routes.js';

/* Files that are large enough for what is done by second threads: the sums of a basis, and a search that finds nothing. */

const MIB = 1024 * 1024;
const BASIS = 20 * MIB;
const FILE = 96 * MIB;
/** Of the basis, in the file: pieces of so many bytes, from where the search has found nothing for a while. */
const PIECE = 200_000;
const FIRST = 30 * MIB;
const EVERY = 10 * MIB;

const daemon = { way: 'daemon', protocol: null } as const;
const SENT: readonly Route[] = [
  { ...daemon, client: TSRSYNC, server: RSYNC, direction: 'push' },
  { ...daemon, client: RSYNC, server: TSRSYNC, direction: 'pull' },
  { ...daemon, client: TSRSYNC, server: TSRSYNC, direction: 'push' },
];
const RECEIVED: readonly Route[] = [
  { ...daemon, client: RSYNC, server: TSRSYNC, direction: 'push' },
  { ...daemon, client: TSRSYNC, server: RSYNC, direction: 'pull' },
];

/** Bytes that repeat nowhere; a generator for all of them would take seconds. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  const words = new Int32Array(new Uint8Array(new Random(seed).bytes(MIB)).buffer);
  for (let at = 0; at < length; at += MIB) {
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(words[i] ^ (at / MIB + 1), 0x9e3779b1);
    Buffer.from(words.buffer).copy(bytes, at);
  }
  return bytes;
}

async function check(t: Test, world: World, route: Route, folder: string): Promise<number> {
  const target = world.makeDir(`to-${folder}-${route.client.name}-${route.server.name}`);
  cpSync(world.path(`basis-${folder}`), target, { recursive: true });
  utimesSync(`${target}/file`, 1, 1);
  const name = target.slice(world.dir.length + 1);
  const done = await world.copy(route, ['-a', '--stats'], `${folder}/`, `${name}/`, { timeout: 120_000 });
  t.equal(done.code, 0, `${routeName(route)}: ${done.stderr}`);
  t.equal(spawnSync('cmp', [world.path(`${folder}/file`), `${target}/file`]).status, 0, 'the copy is right');
  return Number(/Matched data: ([\d,]+)/.exec(done.stdout)?.[1].replaceAll(',', ''));
}

t.test('a file that has little of its basis', async (t) => {
  const world = new World(t);
  const basis = noise(BASIS, 1);
  const file = noise(FILE, 2);
  let pieces = 0;
  for (let at = FIRST; at + PIECE <= FILE; at += EVERY) {
    basis.copy(file, at + 77 * pieces, MIB * pieces, MIB * pieces + PIECE);
    pieces++;
  }
  writeFileSync(`${world.makeDir('unrelated')}/file`, file);
  writeFileSync(`${world.makeDir('basis-unrelated')}/file`, basis);
  const found = new Set<number>();
  for (const route of SENT) found.add(await check(t, world, route, 'unrelated'));
  t.equal(found.size, 1, `${[...found]} bytes were found of ${pieces} pieces`);
  t.ok([...found][0] > pieces * (PIECE - 20_000));
});

t.test('a file that has most of its basis', async (t) => {
  const world = new World(t);
  const basis = noise(BASIS, 1);
  writeFileSync(`${world.makeDir('basis-edited')}/file`, basis);
  for (let at = 5000; at < BASIS; at += MIB) basis.write('edit', at);
  writeFileSync(`${world.makeDir('edited')}/file`, basis);
  for (const route of RECEIVED) {
    t.ok((await check(t, world, route, 'edited')) > BASIS - 20 * 9000, routeName(route));
  }
});
