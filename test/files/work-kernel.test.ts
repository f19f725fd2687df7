import fc from 'fast-check';
import t from 'tap';
import { createWorkMemory, type WorkCalls, WorkKernel, WorkPlace } from '../../protocol/kernel/work-kernel.js';
import { tempName } from '../../src/files/temp.js';
import { Field, HEAD_BYTES, jobBytes, Kind, Step } from '../../src/files/thread/queue.js';

const EEXIST = 17;
const SUFFIX = 7;
const FD = 5;

/** Calls that only tell what they were called with. Addresses count from the start of the memory. */
function recorder(bytes: Uint8Array) {
  const opened: string[] = [];
  const said: string[] = [];
  let errno = 0;
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
    pread: () => -1,
    statx: (_fd, _name, _flags, _mask, out) => {
      new DataView(bytes.buffer).setUint32(out + 20, 7, true);
      new DataView(bytes.buffer).setUint32(out + 24, 8, true);
      new DataView(bytes.buffer).setUint16(out + 28, 0o100600, true);
      return 0;
    },
    fchown: (_fd, uid, gid) => say(`chown ${uid} ${gid}`),
    futimens: () => say('times'),
    fchmod: (_fd, mode) => say(`chmod ${mode.toString(8)}`),
    close: () => say('close'),
    renameat: (_from, a, _to, b) => say(`rename ${text(a) === opened.at(-1)} ${text(b)}`),
    unlinkat: () => say('unlink'),
    errno: () => errno,
  };
  return { calls, opened, said, fail: (number: number) => (errno = number) };
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
    const landing = kernel.wasm.make(WorkPlace.JOB);
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
