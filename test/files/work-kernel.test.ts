import fc from 'fast-check';
import t from 'tap';
import { createWorkMemory, type WorkCalls, WorkKernel, WorkPlace } from '../../protocol/kernel/work-kernel.js';
import { tempName } from '../../src/files/temp.js';
import { Field, HEAD_BYTES, jobBytes, Kind, Step } from '../../src/files/thread/queue.js';

const EEXIST = 17;
const SUFFIX = 7;
const FD = 5;
/** What the file has that jobs copy from. */
const SOURCE = 'content of a source';

/** Calls that only tell what they were called with. Addresses count from the start of the memory. */
function recorder(bytes: Uint8Array) {
  const opened: string[] = [];
  const said: string[] = [];
  /** What the system copies by itself, call by call. */
  const copied: number[] = [];
  let errno = 0;
  let further = 0;
  const text = (at: number): string => {
    const end = bytes.indexOf(0, at);
    return Buffer.from(bytes.slice(at, end)).toString('latin1');
  };
  const say = (what: string, result = 0): number => {
    said.push(what);
    return result;
  };
  const calls: WorkCalls = {
    openat: (_dir, name, _flags, mode) => {
      opened.push(text(name));
      say(`open ${mode.toString(8)}`);
      return errno === 0 ? FD : -1;
    },
    write: (_fd, data, length) =>
      say(`write ${Buffer.from(bytes.slice(data, data + length)).toString('latin1')}`, length),
    pread: (_fd, to, length, offset) => {
      bytes.set(Buffer.from(SOURCE.slice(offset, offset + length)), to);
      return Math.min(length, SOURCE.length - offset);
    },
    sendfile: (to, from, _offset, length) => say(`copy ${from} to ${to}: ${length}`, copied.shift() ?? -1),
    statx: (_fd, _name, _flags, _mask, out) => {
      new DataView(bytes.buffer).setUint32(out + 20, 7, true);
      new DataView(bytes.buffer).setUint32(out + 24, 8, true);
      new DataView(bytes.buffer).setUint16(out + 28, 0o100600, true);
      return 0;
    },
    ftruncate: (_fd, length) => say(`cut ${length}`),
    fchown: (_fd, uid, gid) => say(`chown ${uid} ${gid}`),
    futimens: () => say('times'),
    flistxattr: () => say('list attributes', further),
    fchmod: (_fd, mode) => say(`chmod ${mode.toString(8)}`),
    close: () => say('close'),
    renameat: (_from, a, _to, b) => say(`rename ${text(a) === opened.at(-1)} ${text(b)}`),
    unlinkat: () => say('unlink'),
    errno: () => errno,
  };
  return {
    calls,
    opened,
    said,
    copied,
    fail: (number: number) => (errno = number),
    have: (bytes: number) => (further = bytes),
  };
}

interface Made {
  opened: string[];
  said: string[];
  landing: number;
}

function maker(t: { equal(a: unknown, b: unknown): unknown }) {
  const memory = createWorkMemory();
  const bytes = new Uint8Array(memory.buffer);
  const record = recorder(bytes);
  const kernel = new WorkKernel(memory, 0, record.calls, 0, 1234);
  return (name: Buffer, fields: Partial<Record<keyof typeof Field, number>>, errno = 0): Made => {
    const words = new Int32Array(memory.buffer, WorkPlace.JOB, 16);
    words.fill(0);
    bytes.set([...name, 0], WorkPlace.JOB + HEAD_BYTES);
    bytes.set(Buffer.from('content'), WorkPlace.JOB + jobBytes(name.length));
    const job = { KIND: Kind.WRITE, MODE: 0o644, UID: -1, GID: -1, NAME: name.length, SIZE: 7, ...fields };
    for (const [field, value] of Object.entries(job)) words[Field[field as keyof typeof Field]] = value;
    words[Field.DATA] = WorkPlace.JOB - WorkPlace.RING + jobBytes(name.length);
    record.opened.length = record.said.length = 0;
    record.fail(errno);
    const well = kernel.wasm.makeFiles(WorkPlace.JOB, 1);
    const landing = kernel.wasm.landingFailed();
    t.equal(well, landing === 0 ? 1 : 0);
    t.equal(kernel.wasm.attributesFailed(), 0);
    return { opened: [...record.opened], said: [...record.said], landing };
  };
}

t.test('temporary names are those of the code in TypeScript, and drawn anew when they are taken', async (t) => {
  const make = maker(t);
  const byte = fc.constantFrom(0x2e, 0x61, 0x62, 0xc3, 0xa4, 0xff);
  const names = fc
    .uint8Array({ minLength: 1, maxLength: 255 })
    .chain((a) => fc.array(byte, { minLength: a.length, maxLength: a.length }));
  fc.assert(
    fc.property(names, (letters) => {
      const name = Buffer.from(letters);
      const { opened, landing } = make(name, {}, EEXIST);
      const expected = tempName(name, 0, name.length).toString('latin1').slice(0, -SUFFIX);
      t.equal(landing, (Step.CREATE << 16) | EEXIST);
      t.equal(new Set(opened).size, 100, 'tries');
      for (const temp of opened) {
        if (temp.slice(0, -SUFFIX) !== expected || !/^\.[a-zA-Z0-9]{6}$/.test(temp.slice(-SUFFIX)))
          t.equal(temp, expected);
      }
    }),
    { numRuns: 200 },
  );
});

t.test('a file has its rights, owner and time before it has its name', async (t) => {
  const make = maker(t);
  const name = Buffer.from('name');
  const all = make(name, { UID: 1, GID: 8, HAS_TIME: 1, MODE: 0o4755, DIR: 3 });
  const rest = ['times', 'chmod 4755', 'close', 'rename true name'];
  t.same(all.said, ['open 700', 'write content', `chown 1 ${0xffffffff}`, ...rest]);
  t.same(make(name, { UID: 7, GID: 8, DIR: 3 }).said.slice(0, 2), ['open 600', 'write content']);
});

t.test('the last rights come with the creation, once a file of that directory had its owner by itself', async (t) => {
  const make = maker(t);
  const name = Buffer.from('name');
  const own = { UID: 7, GID: 8, MODE: 0o640, DIR: 3 };
  t.equal(make(name, own).said[0], 'open 600');
  t.equal(make(name, own).said[0], 'open 640');
  t.equal(make(name, { ...own, MODE: 0o4640 }).said[0], 'open 600', 'no set-id bits');
  t.equal(make(name, { ...own, MODE: 0o440 }).said[0], 'open 600', 'it is written to');
  t.equal(make(name, { ...own, DIR: 4 }).said[0], 'open 600', 'another directory');
  t.equal(make(name, { ...own, DIR: 4 }).said[0], 'open 640');
  t.equal(make(name, { ...own, DIR: 4, GID: 9 }).said[0], 'open 600', 'another group');
  t.equal(make(name, { ...own, DIR: 4 }).said[0], 'open 600', 'the one before had its group changed');
});

t.test('the system copies; what it leaves is read and written', async (t) => {
  const memory = createWorkMemory();
  const record = recorder(new Uint8Array(memory.buffer));
  const kernel = new WorkKernel(memory, 0, record.calls, 0, 1);
  const copy = (size: number, copied: number[]): string[] => {
    giveCopies(memory, [{ name: 'name', size }]);
    record.said.length = 0;
    record.copied.splice(0, Number.POSITIVE_INFINITY, ...copied);
    kernel.wasm.makeFiles(WorkPlace.JOB, 1);
    return record.said.slice(1, record.said.indexOf('chmod 644'));
  };
  t.same(copy(7, [7]), ['copy 9 to 5: 7']);
  t.same(copy(7, [4, 3]), ['copy 9 to 5: 7', 'copy 9 to 5: 3']);
  t.same(copy(7, [-1]), ['copy 9 to 5: 7', 'write content']);
  t.same(copy(7, [3, -1]), ['copy 9 to 5: 7', 'copy 9 to 5: 4', 'write tent']);
  t.same(copy(7, [3, 0]), ['copy 9 to 5: 7', 'copy 9 to 5: 4', 'write tent']);
  copy(SOURCE.length + 1, [SOURCE.length, 0]);
  t.equal(kernel.wasm.landingFailed() >> 16, Step.READ, 'the source has become shorter');
});

t.test('several files are made up to one that does not go well', async (t) => {
  const memory = createWorkMemory();
  const record = recorder(new Uint8Array(memory.buffer));
  const named: string[] = [];
  const { renameat } = record.calls;
  record.calls.renameat = (from, a, to, b) => {
    renameat(from, a, to, b);
    named.push((record.said.at(-1) as string).slice('rename true '.length));
    return named.length === 3 ? -1 : 0;
  };
  const kernel = new WorkKernel(memory, 0, record.calls, 0, 1);
  const files = ['a', 'a longer name', 'c', 'd'].map((name) => ({ name, size: 7 }));
  giveCopies(memory, files);
  record.copied.push(7, 7, 7, 7);
  t.equal(kernel.wasm.makeFiles(WorkPlace.JOB, 2), 2);
  t.equal(kernel.wasm.landingFailed(), 0);
  named.length = 0;
  record.copied.push(7, 7);
  t.equal(kernel.wasm.makeFiles(WorkPlace.JOB, 4), 2);
  t.equal(kernel.wasm.landingFailed() >> 16, Step.RENAME);
  t.same(named, ['a', 'a longer name', 'c']);
});

/** Jobs that follow each other, in the place of the side that gives. */
function giveCopies(memory: { buffer: SharedArrayBuffer }, files: { name: string; size: number }[]): void {
  const bytes = new Uint8Array(memory.buffer);
  let at: number = WorkPlace.JOB;
  for (const { name, size } of files) {
    const words = new Int32Array(memory.buffer, at, HEAD_BYTES / 4);
    const length = jobBytes(name.length);
    const job = {
      LENGTH: length,
      KIND: Kind.COPY,
      MODE: 0o644,
      UID: -1,
      GID: -1,
      NAME: name.length,
      SIZE: size,
      FD: 9,
    };
    words.fill(0);
    for (const [field, value] of Object.entries(job)) words[Field[field as keyof typeof Field]] = value;
    bytes.set([...Buffer.from(name), 0], at + HEAD_BYTES);
    at += length;
  }
}

t.test('a file that is to have no attributes and has some is told of', async (t) => {
  const memory = createWorkMemory();
  const record = recorder(new Uint8Array(memory.buffer));
  const kernel = new WorkKernel(memory, 0, record.calls, 0, 1234);
  const words = new Int32Array(memory.buffer, WorkPlace.JOB, 16);
  for (const [asks, bytes, failed] of [
    [0, 12, 0],
    [1, 0, 0],
    [1, 12, Step.FURTHER << 16],
  ]) {
    words.fill(0);
    words.set([Kind.WRITE, 3], Field.KIND);
    words[Field.NO_FURTHER] = asks;
    record.have(bytes);
    kernel.wasm.makeFiles(WorkPlace.JOB, 1);
    t.equal(kernel.wasm.landingFailed(), 0);
    t.equal(kernel.wasm.attributesFailed(), failed, `${asks} ${bytes}`);
  }
});
