import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { ByteWriter } from '../../protocol/bytes/writer.js';
import { Msg } from '../../protocol/constants.js';
import { exitCodeOf } from '../flist/capture.js';
import { Random } from '../lib/random.js';
import { cuts } from '../lib/splits.js';

/** What a random program writes: values of the data stream, and messages between them. */
interface Step {
  kind: 'u8' | 'u16' | 'i32' | 'bytes' | 'vstring' | 'message';
  /** The number, or the seed of the bytes. */
  value: number;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant('i32' as const), value: fc.integer() }),
  fc.record({ kind: fc.constantFrom('bytes' as const, 'vstring' as const, 'message' as const), value: fc.nat() }),
);

const payload = (seed: number): Buffer => new Random(seed).bytes(seed % 7 === 0 ? seed % 3000 : seed % 40);

function write(w: ByteWriter, steps: readonly Step[]): void {
  for (const s of steps) {
    if (s.kind === 'u8') w.u8(s.value);
    else if (s.kind === 'u16') w.u16(s.value);
    else if (s.kind === 'i32') w.i32(s.value);
    else if (s.kind === 'bytes') w.bytes(payload(s.value));
    else if (s.kind === 'vstring') w.vstring(payload(s.value));
    else w.message(Msg.INFO, payload(s.value));
    if (s.kind === 'u8' && s.value % 5 === 0) w.flush();
  }
  w.flush();
}

/** Copied by the reader, or put into its own space: both at random, as pieces of odd length tell. */
function receive(r: ByteReader, chunk: Buffer): void {
  if (chunk.length % 2 === 0) {
    r.push(chunk);
    return;
  }
  for (let at = 0; at < chunk.length; ) {
    const n = chunk.copy(r.space(), 0, at);
    r.arrived(n);
    at += n;
  }
}

/** Reads the same program back and says what differs; messages must arrive in their place or earlier, in order. */
function check(chunks: readonly Buffer[], steps: readonly Step[], framed: boolean): string {
  const r = new ByteReader();
  const messages: string[] = [];
  if (framed) r.startFrames((code, text) => messages.push(`${code} ${text.toString('hex')}`));
  let next = 0;
  for (const s of steps) {
    if (s.kind === 'message') continue;
    for (;;) {
      r.begin();
      const got = readStep(r, s);
      if (r.done()) {
        if (got !== true) return `${s.kind}: ${got}`;
        break;
      }
      if (next >= chunks.length) return 'short';
      receive(r, chunks[next++]);
    }
  }
  while (next < chunks.length) receive(r, chunks[next++]);
  r.begin();
  r.pumpMessages();
  const wanted = steps.flatMap((s) =>
    s.kind === 'message' ? [`${Msg.INFO} ${payload(s.value).toString('hex')}`] : [],
  );
  return framed && `${messages}` !== `${wanted}` ? 'messages' : r.buffered > 0 ? 'rest' : '';
}

function readStep(r: ByteReader, s: Step): true | number | string {
  if (s.kind === 'u8') return same(r.u8(), s.value);
  if (s.kind === 'u16') return same(r.u16(), s.value);
  if (s.kind === 'i32') return same(r.i32(), s.value);
  if (s.kind === 'message') return true;
  const wanted = payload(s.value);
  const got = s.kind === 'bytes' ? r.bytes(wanted.length) : r.vstring(0x7fff, 'text');
  return got.equals(wanted) || got.toString('hex');
}

const same = (got: number, wanted: number): true | number => got === wanted || got;

t.test('what a writer writes a reader reads, framed or not, however it is cut', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (all, framed) => {
      const steps = framed ? all : all.filter((s) => s.kind !== 'message');
      const parts: Buffer[] = [];
      const w = new ByteWriter({
        write: (view, release) => {
          parts.push(Buffer.from(view));
          release();
        },
      });
      if (framed) w.startFrames();
      write(w, steps);
      const bytes = Buffer.concat(parts);
      if (w.total !== bytes.length || w.pending !== 0 || w.unflushed !== 0) throw new Error('counts');
      for (const { name, chunks } of cuts(bytes)) {
        const fault = check(chunks, steps, framed);
        if (fault !== '') throw new Error(`${name}: ${fault}`);
      }
    }),
    { numRuns: 150 },
  );
  t.pass();
});

t.test('views stay as they are until they are released, across many pages', async (t) => {
  const held: { view: Buffer; copy: Buffer; release: () => void }[] = [];
  const w = new ByteWriter({ write: (view, release) => held.push({ view, copy: Buffer.from(view), release }) });
  const random = new Random(7);
  let written = 0;
  let checked = 0;
  for (let i = 0; i < 300; i++) {
    const data = random.bytes(1 + random.int(20_000));
    w.bytes(data);
    written += data.length;
    if (random.chance(30)) w.flush();
    while (held.length > 12) {
      const { view, copy, release } = held.shift()!;
      if (!view.equals(copy)) throw new Error('a view was overwritten');
      checked += view.length;
      release();
    }
  }
  w.flush();
  t.equal(w.total, written);
  t.equal(w.pending, written - checked);
  for (const { view, copy, release } of held.splice(0)) {
    t.ok(view.equals(copy));
    release();
  }
  t.equal(w.pending, 0);
});

t.test('a unit that is short leaves nothing behind, also across frames and messages', async (t) => {
  const r = new ByteReader();
  const messages: number[] = [];
  r.startFrames((code) => messages.push(code));
  // i32 0x04030201 in three frames with a message and a keep-alive between them.
  const bytes = Buffer.from('0200000701 02 01000009 78 00000007 01000007 03 02000007 04 2a'.replaceAll(' ', ''), 'hex');
  for (let i = 0; i < bytes.length - 1; i++) {
    r.push(bytes.subarray(i, i + 1));
    r.begin();
    r.i32();
    if (i < bytes.length - 2) t.notOk(r.done(), `after byte ${i}`);
    else t.ok(r.done());
  }
  r.push(bytes.subarray(-1));
  r.begin();
  t.equal(r.u8(), 0x2a);
  t.ok(r.done());
  t.same(messages, [Msg.INFO]);
});

t.test('frames that no peer may send', async (t) => {
  const refused = (header: number[]) => () => {
    const r = new ByteReader();
    r.startFrames(() => {});
    r.push(Buffer.from(header));
    r.begin();
    r.u8();
  };
  for (const code of [5, 6, 7, 8, 9, 10, 50, 200]) {
    t.equal(exitCodeOf(refused([0, 0, 0, 7 + code])), 12, `code ${code}`);
  }
  t.doesNotThrow(refused([3, 0, 0, 7]), 'data');
  t.equal(exitCodeOf(refused([0, 0x14, 0, 7 + Msg.INFO])), 12, 'text of 5120 bytes');
  t.equal(exitCodeOf(refused([3, 0, 0, 7 + Msg.IO_ERROR])), 12, 'a number of three bytes');
  t.equal(exitCodeOf(refused([1, 0, 0, 7 + Msg.NOOP])), 12, 'a no-op with content');
  t.equal(exitCodeOf(refused([2, 0, 0, 7 + Msg.ERROR_EXIT])), 12, 'half an exit code');
});

t.test('a vstring longer than allowed is refused before it is there', async (t) => {
  const r = new ByteReader();
  r.push(Buffer.from([0x81, 0x00]));
  r.begin();
  t.equal(
    exitCodeOf(() => r.vstring(255, 'list')),
    2,
  );
});

t.test('the buffer does not grow while units are consumed', async (t) => {
  const r = new ByteReader();
  const chunk = Buffer.alloc(8192, 1);
  const before = r.buf.length;
  for (let i = 0; i < 1000; i++) {
    r.push(chunk);
    for (let k = 0; k < 2048; k++) {
      r.begin();
      r.i32();
      r.done();
    }
  }
  t.equal(r.buf.length, before);
  t.equal(r.total, 8192 * 1000);
});

t.test('a flush may keep the last bytes', async (t) => {
  const sent: Buffer[] = [];
  const w = new ByteWriter({
    write: (view, release) => {
      sent.push(Buffer.from(view));
      release();
    },
  });
  w.flush(1);
  w.startFrames();
  w.text('abc');
  w.flush(1);
  t.equal(Buffer.concat(sent).toString('latin1'), '\x03\0\0\x07ab', 'the frame is complete, but for its last byte');
  w.flush(1);
  t.equal(w.unflushed, 1);
  w.text('d');
  w.flush();
  t.equal(Buffer.concat(sent).toString('latin1'), '\x03\0\0\x07abc\x01\0\0\x07d');
  t.equal(w.total, 12);
});

t.test(
  'the space for input grows while it is used up, to a bound, and starts in front when all was read',
  async (t) => {
    const r = new ByteReader();
    const sizes: number[] = [];
    for (let i = 0; i < 8; i++) {
      const room = r.space();
      sizes.push(room.length);
      room.fill(i);
      r.arrived(room.length);
      r.begin();
      r.pos += r.available();
      t.ok(r.done());
    }
    t.equal(sizes[0] * 2, sizes[1]);
    t.equal(sizes[7], 256 * 1024);
    t.equal(r.buffered, 0);
    t.equal(r.space().byteOffset, r.buf.byteOffset);
  },
);

t.test('an unfinished unit stays in one piece when the space behind it runs out', async (t) => {
  const r = new ByteReader();
  const random = new Random(5);
  const wanted = random.bytes(3_000_000);
  const got: Buffer[] = [];
  let sent = 0;
  while (got.length < 3) {
    r.begin();
    const piece = r.bytes(1_000_000);
    if (r.done()) {
      got.push(piece);
      continue;
    }
    const n = wanted.copy(r.space(), 0, sent);
    r.arrived(n);
    sent += n;
  }
  t.ok(Buffer.concat(got).equals(wanted));
});
