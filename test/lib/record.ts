/**
 * Records sessions of the real rsync into fixtures/wire/: `npm run compile && npm run record [-- NAME...]`.
 * Each case makes a small tree that is the same on every machine, lets a real client talk to a real daemon through a
 * relay, and keeps both directions and a description.
 */
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTree, type Tree } from './compare.js';
import { startDaemon } from './daemon.js';
import { PROJECT, RSYNC } from './project.js';
import { Random } from './random.js';
import { type RelayedSession, startRelay } from './relay.js';
import { run } from './run.js';
import { makeTempDir, type Teardown } from './temp.js';
import { at, buildTree, cutTree, editBytes, editTree, type MadeTree, settleDirs } from './tree.js';

export interface RecordedCase {
  name: string;
  args: string[];
  direction: 'push' | 'pull' | 'list';
  /** State of the receiving side: nothing, an older copy of the tree, or the same. */
  target: 'empty' | 'older' | 'same';
  user?: string;
  /** Bytes of the largest file; small by default, since the recordings are kept in the repository. */
  maxSize?: number;
}

const PASSWORD = 'recorded';

export const RECORDED_CASES: readonly RecordedCase[] = [
  { name: 'push-new', args: ['-a'], direction: 'push', target: 'empty' },
  { name: 'pull-new', args: ['-a'], direction: 'pull', target: 'empty' },
  { name: 'push-new-p31', args: ['-a', '--protocol=31'], direction: 'push', target: 'empty' },
  { name: 'push-new-p30', args: ['-a', '--protocol=30'], direction: 'push', target: 'empty' },
  { name: 'pull-new-p30', args: ['-a', '--protocol=30'], direction: 'pull', target: 'empty' },
  { name: 'pull-new-p29', args: ['-a', '--protocol=29'], direction: 'pull', target: 'empty' },
  { name: 'push-no-inc', args: ['-a', '--no-inc-recursive'], direction: 'push', target: 'empty' },
  { name: 'push-delta', args: ['-a', '-i'], direction: 'push', target: 'older', maxSize: 60_000 },
  { name: 'pull-delta', args: ['-a', '-i'], direction: 'pull', target: 'older', maxSize: 60_000 },
  { name: 'push-delta-md5', args: ['-ac', '--cc=md5'], direction: 'push', target: 'older', maxSize: 60_000 },
  { name: 'push-zstd', args: ['-az'], direction: 'push', target: 'older', maxSize: 60_000 },
  { name: 'push-zlib', args: ['-a', '--zc=zlib'], direction: 'push', target: 'older', maxSize: 60_000 },
  { name: 'pull-zlibx', args: ['-a', '--zc=zlibx'], direction: 'pull', target: 'older', maxSize: 60_000 },
  { name: 'pull-lz4', args: ['-a', '--zc=lz4'], direction: 'pull', target: 'older', maxSize: 60_000 },
  { name: 'push-delete', args: ['-a', '--delete', '--exclude=*.o'], direction: 'push', target: 'older' },
  { name: 'pull-delete-filters', args: ['-a', '--delete', '-f', 'P *.txt'], direction: 'pull', target: 'older' },
  { name: 'push-hard-links', args: ['-aH'], direction: 'push', target: 'empty' },
  { name: 'pull-hard-links', args: ['-aH'], direction: 'pull', target: 'empty' },
  { name: 'push-same', args: ['-a', '--stats'], direction: 'push', target: 'same' },
  { name: 'pull-same-checksum', args: ['-ac'], direction: 'pull', target: 'same' },
  { name: 'push-auth', args: ['-a'], direction: 'push', target: 'same', user: 'joe' },
  { name: 'list-tree', args: ['-r', '--list-only'], direction: 'list', target: 'empty' },
];

const TREE = { seed: 31, files: 24, dirs: 6, hardLinks: true, fifos: true, oddNames: true, owners: true };

/** The tree of a case below `dir`: `src` as it is sent and `dst` as it is found. */
export function makeRecordedTrees(dir: string, recorded: RecordedCase): MadeTree {
  const options = { ...TREE, maxSize: recorded.maxSize ?? 1500 };
  const tree = buildTree(join(dir, 'src'), options);
  if (recorded.target === 'empty') {
    mkdirSync(join(dir, 'dst'));
    utimesSync(join(dir, 'dst'), 1_500_000_000, 1_500_000_000);
    return tree;
  }
  const older = buildTree(join(dir, 'dst'), options);
  if (recorded.target === 'older') {
    editTree(tree, 32, 8);
    cutTree(tree, 33, 3);
    const name = tree.files[0];
    const edited = editBytes(readFileSync(at(older.root, name)), new Random(34));
    writeFileSync(at(tree.root, name), edited);
    settleDirs(tree, 35);
  }
  return tree;
}

async function record(t: Teardown, recorded: RecordedCase): Promise<void> {
  const dir = makeTempDir('tsrsync-record-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  makeRecordedTrees(dir, recorded);
  const secret = { 'auth users': 'joe', 'secrets file': join(dir, 'daemon', 'secrets') };
  const daemon = await startDaemon(t, RSYNC, {
    dir: join(dir, 'daemon'),
    secrets: [`joe:${PASSWORD}`],
    modules: {
      src: { path: join(dir, 'src'), ...(recorded.user ? secret : {}) },
      dst: { path: join(dir, 'dst'), 'read only': 'no', ...(recorded.user ? secret : {}) },
    },
  });
  const relay = await startRelay(t, daemon.port);
  const host = `rsync://${recorded.user ? `${recorded.user}@` : ''}127.0.0.1:${relay.port}`;
  const paths = {
    push: [`${dir}/src/`, `${host}/dst/`],
    pull: [`${host}/src/`, `${dir}/dst/`],
    list: [`${host}/src/`],
  }[recorded.direction];
  const env = { RSYNC_PASSWORD: recorded.user ? PASSWORD : undefined };
  const done = await run(RSYNC.command, [...recorded.args, ...paths], { env });
  if (done.code !== 0) throw new Error(`${recorded.name}: ${done.stderr}`);
  await relay.close();
  const [session] = relay.sessions;
  write(recorded, session, done.stdout, readTree(join(dir, 'dst')));
}

function write(recorded: RecordedCase, session: RelayedSession, stdout: string, tree: Tree): void {
  const folder = join(PROJECT, 'fixtures', 'wire');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${recorded.name}.c2s.bin`), Buffer.concat(session.c2s));
  writeFileSync(join(folder, `${recorded.name}.s2c.bin`), Buffer.concat(session.s2c));
  const { name, args, direction, target, user, maxSize } = recorded;
  const about = {
    ...{ name, args, direction, target, user, maxSize, stdout },
    order: session.order.map(([side, length]) => `${side} ${length}`),
    tree: [...tree].map(([path, entry]) => JSON.stringify({ path, ...entry, mtimeNs: String(entry.mtimeNs) })),
  };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(about, null, 1)}\n`);
}

async function main(names: string[]): Promise<void> {
  const version = (await run(RSYNC.command, ['--version'])).stdout.split('\n')[0];
  for (const recorded of RECORDED_CASES) {
    if (names.length > 0 && !names.includes(recorded.name)) continue;
    const after: (() => unknown)[] = [];
    try {
      await record({ teardown: (fn) => after.push(fn) }, recorded);
      console.log(`${recorded.name}: recorded with ${version}`);
    } finally {
      for (const fn of after.reverse()) await fn();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
