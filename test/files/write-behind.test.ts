import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { FileWriter } from '../../src/files/output.js';
import { WriteBehind } from '../../src/files/write-behind.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';

const MIB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;

function idle(behind: WriteBehind): Promise<void> {
  return new Promise((resolve) => {
    if (behind.isBusy) behind.whenIdle = resolve;
    else resolve();
  });
}

/** Lengths of pieces between two givings, also of more pieces than one system call takes. */
const lengths = fc.array(
  fc.oneof(
    fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 20 }),
    fc.integer({ min: 1000, max: 2500 }).map((n) => new Array<number>(n).fill(130)),
  ),
  { minLength: 1, maxLength: 6 },
);

t.test('what is given is written in its order, between what is written here', async (t) => {
  const path = join(tempDir(t), 'f');
  const writer = new FileWriter({ sparse: false, preallocate: false, fsync: false });
  let given = 0;
  let left = 0;
  await fc.assert(
    fc.asyncProperty(lengths, async (lots) => {
      const fd = openSync(path, 'w+');
      writer.start({ fd, existing: 0, expected: 16 * MIB, isHeld: true });
      const expected: Buffer[] = [];
      for (const [index, lot] of lots.entries()) {
        const total = lot.reduce((sum, n) => sum + n, 0);
        const data = new Random(index + 1).bytes(total + 10);
        expected.push(Buffer.from(data.subarray(0, total)));
        let at = 0;
        for (const n of lot) {
          writer.writeHeld(data, at, at + n);
          at += n;
        }
        left++;
        const taken = writer.giveHeld(() => {
          left--;
          data.fill(0xee);
        });
        if (taken) {
          given++;
          continue;
        }
        writer.flush();
        left--;
        data.fill(0xee);
      }
      await idle(writer.behind);
      writer.finish();
      closeSync(fd);
      return left === 0 && readFileSync(path).equals(Buffer.concat(expected));
    }),
    { numRuns: 60 },
  );
  t.ok(given > 50, `${given} lots went to the other thread`);
});

t.test('a full disk', { skip: isRoot ? false : 'mounting needs root' }, async (t) => {
  const disk = tempDir(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
  t.teardown(() => execFileSync('umount', [disk]));
  const path = join(disk, 'f');
  const fd = openSync(path, 'w+');
  t.teardown(() => closeSync(fd));
  // Where the fifth lot comes the disk has room already, so that it could be written however full it is.
  writeSync(fd, Buffer.alloc(100_000), 0, 100_000, 2_800_000 - 8192);
  const behind = new WriteBehind();
  behind.start(fd);
  const data = new Random(5).bytes(4 * MIB);
  let done = 0;
  // Of one lot, the disk takes a part. Two lots are more than one call takes.
  for (let at = 0; at < data.length; at += 700_000) {
    const pieces = [];
    for (let from = at; from < at + 700_000; from += 1000) pieces.push(data.subarray(from, from + 1000));
    behind.write(pieces, at, () => done++);
  }
  t.notOk(behind.hasRoom);
  await idle(behind);
  t.equal(behind.failure?.code, 'ENOSPC');
  t.equal(done, Math.ceil(data.length / 700_000), 'all memory is given back');
  const there = readFileSync(path);
  const length = there.findIndex((byte, index) => byte !== data[index]);
  t.ok(length > MIB && length < 2 * MIB, `${length} bytes found room`);
  t.ok(
    there.subarray(length).every((byte) => byte === 0),
    'behind them nothing was written',
  );
  behind.start(fd);
  t.equal(behind.failure, null, 'the next file begins without it');
  ftruncateSync(fd, 0);
  behind.write([data], 0, () => done++);
  await idle(behind);
  t.match(behind.failure, { code: 'ENOSPC' }, 'the last lot is taken in part only');
});
