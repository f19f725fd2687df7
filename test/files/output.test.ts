import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { FileWriter } from '../../src/files/output.js';
import { copyContents, openForReading, readFully } from '../../src/files/window.js';
import { hasLibc } from '../../src/libc/libc.js';
import { tempDir } from '../lib/temp.js';

const PLAIN = { sparse: false, preallocate: false, fsync: false };

/** Pieces with runs of zeros, of lengths around the borders that matter. */
const pieces = fc.array(
  fc.record({
    length: fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.constantFrom(4096, 65_536, 65_535, 262_144, 300_000)),
    zero: fc.boolean(),
    skip: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 8 },
);

function fill(data: Buffer, value: number): Buffer {
  for (let i = 0; i < data.length; i++) data[i] = (value + i * 7) & 0xff;
  return data;
}

for (const o of [
  PLAIN,
  { ...PLAIN, sparse: true },
  { sparse: true, preallocate: true, fsync: true },
  { ...PLAIN, preallocate: true },
]) {
  t.test(`what is written is what is read, ${JSON.stringify(o)}`, (t) => {
    const dir = tempDir(t);
    const writer = new FileWriter(o);
    const old = fill(Buffer.alloc(200_000), 3);
    fc.assert(
      fc.property(pieces, fc.boolean(), (list, inPlace) => {
        const path = join(dir, 'f');
        writeFileSync(path, inPlace ? old : '');
        const fd = openSync(path, 'r+');
        const existing = inPlace ? old.length : 0;
        writer.start({ fd, existing, expected: 100_000 });
        const expected: Buffer[] = [];
        let at = 0;
        for (const [i, piece] of list.entries()) {
          const data = piece.zero ? Buffer.alloc(piece.length + 10) : fill(Buffer.alloc(piece.length + 10), i);
          if (inPlace && piece.skip === 0 && at + piece.length <= old.length) {
            writer.keep(old, at, at + piece.length);
            expected.push(old.subarray(at, at + piece.length));
          } else {
            expected.push(Buffer.from(data.subarray(5, 5 + piece.length)));
            if (piece.skip > 1) {
              writer.writeHeld(data, 5, 5 + piece.length);
            } else {
              writer.write(data, 5, 5 + piece.length);
              data.fill(0xee);
            }
          }
          at += piece.length;
          if (writer.offset !== at) return false;
        }
        writer.finish();
        closeSync(fd);
        return readFileSync(path).equals(Buffer.concat(expected));
      }),
      { seed: 11, numRuns: 60 },
    );
    t.pass('all alike');
    t.end();
  });
}

for (const preallocate of [false, true]) {
  t.test(`holes take no room${preallocate ? ', when it was reserved' : ''}`, (t) => {
    const dir = tempDir(t);
    const path = join(dir, 'f');
    const fd = openSync(path, 'w+');
    const writer = new FileWriter({ ...PLAIN, sparse: true, preallocate });
    const zeros = Buffer.alloc(1 << 20);
    const size = 2 * zeros.length + 13;
    writer.start({ fd, existing: 0, expected: size });
    writer.write(zeros, 0, zeros.length);
    writer.write(Buffer.from('in the middle'), 0, 13);
    writer.write(zeros, 0, zeros.length);
    writer.finish();
    closeSync(fd);
    t.equal(statSync(path).size, size);
    t.ok(statSync(path).blocks * 512 <= 16 * 1024, `${statSync(path).blocks} blocks`);
    t.end();
  });
}

t.test('zeros that are there already become holes', (t) => {
  const path = join(tempDir(t), 'f');
  const content = Buffer.alloc(1 << 20);
  content[0] = content[500_000] = content[content.length - 1] = 1;
  writeFileSync(path, content);
  const fd = openSync(path, 'r+');
  const writer = new FileWriter({ ...PLAIN, sparse: true });
  writer.start({ fd, existing: content.length, expected: content.length });
  for (let at = 0; at < content.length; at += 1 << 15) writer.keep(content, at, at + (1 << 15));
  writer.finish();
  closeSync(fd);
  t.ok(readFileSync(path).equals(content));
  t.ok(statSync(path).blocks * 512 <= 16 * 1024, `${statSync(path).blocks} blocks`);
  t.end();
});

t.test('append goes on behind what is there', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'f'), 'start');
  const fd = openSync(join(dir, 'f'), 'r+');
  const writer = new FileWriter(PLAIN);
  writer.start({ fd, existing: 5, expected: 8 });
  writer.seek(5);
  writer.write(Buffer.from('end'), 0, 3);
  writer.finish();
  closeSync(fd);
  t.equal(readFileSync(join(dir, 'f'), 'latin1'), 'startend');
  t.end();
});

t.test('a full disk is told with its error', (t) => {
  const fd = openSync('/dev/full', 'w');
  const writer = new FileWriter(PLAIN);
  writer.start({ fd, existing: 0, expected: 0, isDevice: true });
  writer.write(Buffer.from('x'), 0, 1);
  t.throws(() => writer.finish(), { code: 'ENOSPC', errno: -28, syscall: 'write' });
  writer.start({ fd, existing: 0, expected: 0, isDevice: true });
  const big = Buffer.alloc(100_000);
  t.throws(() => writer.write(big, 0, big.length), { code: 'ENOSPC' });
  closeSync(fd);
  t.end();
});

t.test('reading goes on until the file ends', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'g'), 'other');
  const fd = openForReading(Buffer.from(join(dir, 'g')));
  const into = Buffer.alloc(10);
  t.equal(readFully(fd, into, 3, 2, 1), 2);
  t.equal(into.toString('latin1', 3, 5), 'th');
  t.equal(readFully(fd, into, 0, 10, null), 5);
  closeSync(fd);
  t.end();
});

t.test('opening for reading neither follows a link nor waits for a fifo', (t) => {
  const dir = tempDir(t);
  spawnSync('mkfifo', [join(dir, 'fifo')]);
  closeSync(openForReading(Buffer.from(join(dir, 'fifo'))));
  spawnSync('ln', ['-s', '/etc/passwd', join(dir, 'l')]);
  t.throws(() => openForReading(Buffer.from(join(dir, 'l'))), { code: 'ELOOP' });
  t.end();
});

t.test('whole files are copied, inside the kernel or not', (t) => {
  const dir = tempDir(t);
  const content = fill(Buffer.alloc(700_001), 9);
  writeFileSync(join(dir, 'f'), content);
  for (const kernel of [false, true]) {
    if (kernel) t.ok(hasLibc());
    const from = openForReading(Buffer.from(join(dir, 'f')));
    const to = openSync(join(dir, `copy${kernel}`), constants.O_RDWR | constants.O_CREAT, 0o600);
    t.equal(copyContents(from, to), content.length);
    closeSync(from);
    closeSync(to);
    t.ok(readFileSync(join(dir, `copy${kernel}`)).equals(content));
  }
  const proc = openForReading(Buffer.from('/proc/self/status'));
  const to = openSync(join(dir, 'proc'), 'w');
  t.ok(copyContents(proc, to) > 0, 'a file whose size is not known');
  closeSync(proc);
  closeSync(to);
  t.end();
});
