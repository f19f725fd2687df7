import t from 'tap';
import { ByteReader, LONG_WINDOW } from '../../protocol/bytes/reader.js';
import { ByteWriter, PAGE, POOL_LIMIT } from '../../protocol/bytes/writer.js';
import { createFileDigest } from '../../protocol/hash/digest.js';
import { FIRST_FREE, Kernel, STAGE, STAGE_LENGTH } from '../../protocol/kernel/kernel.js';
import { Random } from '../lib/random.js';

const context = { protocol: 32, seed: 1, seedFix: true, explicit: true };

t.test('what lies in a window is summed where it lies', async (t) => {
  const random = new Random(3);
  const digest = await createFileDigest('xxh128', context);
  const kernel = digest.kernel!;
  const windows = kernel.openWindows(FIRST_FREE + 100, 70_000, 3);
  t.equal(windows.length, 3);
  for (const window of windows) {
    const data = random.bytes(70_000);
    const [expected, actual] = [Buffer.alloc(16), Buffer.alloc(16)];
    digest.init();
    digest.update(data, 5, 69_000);
    digest.final(expected, 0);
    kernel.bytes.fill(0x55, STAGE, STAGE + STAGE_LENGTH);
    data.copy(window);
    digest.init();
    digest.update(window, 5, 1000);
    digest.update(window, 1000, 69_000);
    digest.final(actual, 0);
    t.same(actual, expected);
    t.ok(
      kernel.bytes.subarray(STAGE, STAGE + STAGE_LENGTH).every((b) => b === 0x55),
      'nothing was copied',
    );
  }
  kernel.reserve(kernel.bytes.length + 1);
  t.equal(kernel.placeOf(windows[0]), -1, 'the memory has grown: it is no window any more');
  t.equal(kernel.placeOf(kernel.bytes), 0);
});

t.test('a reader moves home once its reads are long, with what it has not decoded', async (t) => {
  const random = new Random(8);
  const [home] = new Kernel().openWindows(FIRST_FREE, LONG_WINDOW, 1);
  const r = new ByteReader();
  r.moveInto(home);
  const sent = random.bytes(8_000_000);
  const got: Buffer[] = [];
  let longest = 0;
  for (let at = 0, done = 0; done < sent.length; ) {
    const wanted = Math.min(1 + random.int(150_000), sent.length - done);
    r.begin();
    const piece = r.bytes(wanted);
    if (r.done()) {
      got.push(piece);
      done += wanted;
      continue;
    }
    const n = sent.copy(r.space(), 0, at);
    r.arrived(n);
    at += n;
    if (at < 200_000) t.ok(r.buf !== home, 'short reads stay');
    longest = Math.max(longest, n);
  }
  t.ok(Buffer.concat(got).equals(sent));
  t.equal(longest, 1024 * 1024);
  t.ok(r.buf === home);
});

t.test('what does not fit into the home yet does not move there', async (t) => {
  const [home] = new Kernel().openWindows(FIRST_FREE, LONG_WINDOW, 1);
  const r = new ByteReader();
  const sent = new Random(9).bytes(2_000_000);
  for (let at = 0; at < 1_500_000; ) {
    const n = sent.copy(r.space(), 0, at);
    r.arrived(n);
    at += n;
    r.begin();
    // One that is longer than the home.
    r.bytes(1_400_000);
    if (r.done()) break;
    if (at > 500_000) r.moveInto(home);
    t.ok(r.buf !== home);
  }
  r.space();
  t.ok(r.buf === home, 'it does once that is used');
});

t.test("a writer's pages come from its home, and stay as they are until they are released", async (t) => {
  const kernel = new Kernel();
  const pages = kernel.openWindows(FIRST_FREE, PAGE, POOL_LIMIT);
  const held: { view: Buffer; copy: Buffer; release: () => void }[] = [];
  const w = new ByteWriter({ write: (view, release) => held.push({ view, copy: Buffer.from(view), release }) });
  w.moveInto(pages);
  const random = new Random(7);
  const homes = new Set<number>();
  let elsewhere = 0;
  for (let i = 0; i < 600; i++) {
    w.bytes(random.bytes(1 + random.int(20_000)));
    if (random.chance(30)) w.flush();
    const most = i < 300 ? 2 : 30;
    while (held.length > most) {
      const { view, copy, release } = held.shift()!;
      if (!view.equals(copy)) throw new Error('a view was overwritten');
      if (view.buffer === kernel.bytes.buffer) homes.add(Math.floor((view.byteOffset - FIRST_FREE) / PAGE));
      else elsewhere++;
      if (i === 299) t.ok(elsewhere < 10, 'only the first page was not at home');
      release();
    }
  }
  t.same([...homes].sort(), [0, 1, 2, 3]);
  t.ok(elsewhere > 10, 'when these were all on their way, there were others');
});
