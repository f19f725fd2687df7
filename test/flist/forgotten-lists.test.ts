import { linkSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { CHUNK_ROWS } from '../../protocol/flist/chunk.js';
import { createBlockDigest } from '../../protocol/hash/digest.js';
import { collidingBlock } from '../lib/collision.js';
import { checkForgotten, emptyFiles, real, transfer } from '../lib/own-client.js';
import { RSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { memoryDir } from '../lib/temp.js';

const PER_DIR = 100;
const BLOCK = 700;
/** With these, `collidingBlock` knows what a block's strong sum is. */
const SUMS = ['--no-whole-file', '--checksum-choice=xxh64', '--checksum-seed=1', `--block-size=${BLOCK}`];

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Deep and wide directories, hard links across them, old and odd content at the target. */
async function makeTrees(dir: string): Promise<void> {
  const source = join(dir, 'source');
  const target = join(dir, 'target');
  for (let at = 0; at < 48; at++) {
    const inside = join(source, `dir${at % 16}`, at < 16 ? '' : at < 32 ? 'middle' : 'middle/deep');
    emptyFiles(inside, at * PER_DIR, (at + 1) * PER_DIR);
    if (at % 10 === 0) utimesSync(inside, 1e9, 1e9);
  }
  put(join(source, 'dir1/first-name'), 'one file');
  linkSync(join(source, 'dir1/first-name'), join(source, 'dir12/middle/second-name'));
  linkSync(join(source, 'dir1/first-name'), join(source, 'dir9/middle/deep/third-name'));
  await real('cp', '-a', source, target);
  const random = new Random(5);
  const digest = await createBlockDigest('xxh64', { protocol: 32, seed: 1, seedFix: true, explicit: true });
  for (const name of ['dir0/again', 'dir15/middle/again', 'dir9/middle/deep/again']) {
    const old = Buffer.from(random.bytes(3 * BLOCK).map((byte) => 8 + (byte % 200)));
    const fresh = Buffer.concat([old.subarray(0, BLOCK), collidingBlock(old.subarray(BLOCK, 2 * BLOCK), digest)]);
    put(join(target, name), old);
    put(join(source, name), Buffer.concat([fresh, old.subarray(2 * BLOCK)]));
    utimesSync(join(target, name), 1, 1);
  }
  for (let at = 0; at < 16; at += 3) {
    put(join(target, `dir${at}/middle/extra/file`), 'goes');
    put(join(source, `dir${at}/middle/new`), `new ${at}`);
  }
  rmSync(join(target, 'dir12/middle/second-name'));
}

const MODES = [
  '--delete-during --progress',
  '--delete-delay -vv',
  '--delete-before',
  '--delete-after',
  '--delay-updates',
  '--remove-source-files',
];

for (const direction of ['push', 'pull'] as const) {
  t.test(`${direction}: rows are forgotten and nothing is missed`, async (t) => {
    const made = memoryDir(t);
    await makeTrees(made);
    for (const mode of MODES) {
      const dir = memoryDir(t);
      await real('cp', '-a', join(made, 'source'), dir);
      // Whatever changes at the target is a new file there.
      await real('cp', '-al', join(made, 'target'), dir);
      const { exitCode, session } = await transfer(direction, dir, ['-aH', ...SUMS, ...mode.split(' ')]);
      t.equal(exitCode, 0, mode);
      t.equal(session.stats.transferredFiles, 12, `${mode}: six new files, and three that are sent twice`);
      const same = mode.startsWith('--delete') ? ['--delete'] : ['--omit-dir-times'];
      const differences = ['-aHni', '--checksum', ...same, join(made, 'source/'), join(dir, 'target/')];
      t.equal(await real(RSYNC.command, ...differences), '', mode);
      t.ok(session.list.count > CHUNK_ROWS);
      if (session.incremental) checkForgotten(t, session.list);
      rmSync(dir, { recursive: true });
    }
  });
}

/** A race: the sender waits when it gets the news of a finished file by itself, with no request behind it. */
const RACES = 10;

t.test('a sender that sends no further list before one has ended', async (t) => {
  const made = memoryDir(t);
  await makeTrees(made);
  for (let turn = 0; turn < RACES; turn++) {
    const dir = memoryDir(t);
    await real('cp', '-a', join(made, 'source'), dir);
    await real('cp', '-al', join(made, 'target'), dir);
    const { exitCode } = await transfer('pull', dir, ['-aH', ...SUMS, '--remove-source-files']);
    t.equal(exitCode, 0, `turn ${turn}`);
    rmSync(dir, { recursive: true });
  }
});
