import fc from 'fast-check';
import t from 'tap';
import { RsyncError } from '../../protocol/errors.js';
import type { ListWire } from '../../protocol/flist/wire.js';
import { Random } from '../lib/random.js';
import { plainWire } from './capture.js';
import { dirMode } from './make-list.js';
import { decode, encode, randomList } from './random-list.js';

/** Bytes of one entry in the varint form: flags, name, length 0, time 0, mode. */
function entry(flags: number, name: string, mode = 0o100644, prefix = -1): Buffer {
  const head = Buffer.from(prefix < 0 ? [flags | 0x98] : [0xa0 | (flags >> 8), flags | 0x98, prefix]);
  const first = prefix < 0 && flags < 0x80 ? Buffer.from([0x80, flags | 0x98]) : head;
  const modeBytes = Buffer.alloc(4);
  modeBytes.writeUInt32LE(mode);
  return Buffer.concat([first, Buffer.from([name.length]), Buffer.from(name, 'latin1'), Buffer.alloc(3), modeBytes]);
}

function refusal(bytes: Buffer, change: Partial<ListWire> = {}): number {
  const wire = plainWire(32, { owner: false, group: false, ...change });
  try {
    decode(wire, [bytes]);
  } catch (error) {
    if (error instanceof RsyncError) return error.exitCode;
    throw error;
  }
  return 0;
}

t.test('names that could leave the destination', async (t) => {
  const end = Buffer.from([0, 0]);
  const plain = (name: string, mode?: number) => Buffer.concat([entry(0, name, mode), end]);
  for (const name of ['..', '../x', 'a/..', 'a/../b', '/x', '//x', 'a//b', 'a/', './x', 'a/./b', 'a/.', 'x\0y', '']) {
    t.equal(refusal(plain(name)), 4, JSON.stringify(name));
  }
  for (const name of ['/..', '/../x', '//x', '/a/../b', 'a/../../b', '..']) {
    t.equal(refusal(plain(name), { relative: true }), 4, `${name} with -R`);
  }
  for (const name of ['a', '...', '..a', 'a..', '.a', 'a/..b', 'a/.b/c']) t.equal(refusal(plain(name)), 0, name);
  t.equal(refusal(plain('/usr/x'), { relative: true }), 0);
  t.equal(refusal(plain('.', dirMode)), 0);
  t.equal(refusal(plain('.')), 4, '"." that is a file');
});

t.test('values that no honest sender writes', async (t) => {
  const end = Buffer.from([0, 0]);
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0o100644), end])), 0, 'the frame of these cases is right');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0o150644), end])), 2, 'unknown file type');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0), end])), 2, 'mode 0');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0), end]), { deleteMissingArgs: true }), 0, 'mode 0 is allowed');
  t.equal(refusal(hex('80b8 05 01 61')), 2, 'prefix longer than the name before');
  t.equal(refusal(hex('80d8 c0 00 10')), 2, 'suffix of 4096 bytes');
  t.equal(refusal(hex('80d8 f0 ff ff ff ff')), 2, 'negative suffix length');
  t.equal(refusal(hex('8098 01 61 fc ff ff ff ff ff ff ff ff')), 4, 'negative length');
  t.equal(refusal(hex('a098 01 61 000000 f0 00 ca 9a 3b')), 2, 'nanoseconds of a whole second');
  t.equal(refusal(hex('fc')), 12, 'varint of seven bytes');
  t.equal(refusal(hex('c09a02 01 61 00')), 2, 'hard link to itself');
  t.equal(refusal(hex('8298 01 61 05')), 2, 'hard link beyond the list');
  t.equal(refusal(hex('8298 01 61 00'), { hardLinks: false }), 2, 'hard link without -H');
  t.equal(refusal(Buffer.concat([entry(0, 'f'), hex('8298 01 67 00')])), 2, 'hard link to a file that has none');
  t.equal(refusal(hex('0410 01'), { varintFlags: false, safeList: false, protocol: 30 }), 2, 'error mark');
  t.equal(refusal(Buffer.concat([entry(0, 'l', 0o120777), hex('c0 00 10')])), 2, 'symlink target of 4096 bytes');
});

t.test('links and devices that were not asked for are empty', async (t) => {
  const bytes = Buffer.concat([entry(0, 'l', 0o120777), entry(0, 'c', 0o020600), Buffer.from([0, 0])]);
  const { list } = decode(plainWire(32, { owner: false, group: false, links: false, devices: false }), [bytes]);
  t.equal(list.target(0).length, 0);
  t.same([list.major(1), list.minor(1)], [0, 0]);
});

t.test('random and mutated bytes end in a clean error, or ask for more', async (t) => {
  const outcome = (wire: ListWire, bytes: Buffer): void => {
    try {
      decode(wire, [bytes]);
    } catch (error) {
      if (!(error instanceof RsyncError) && (error as Error).message !== 'short') throw error;
    }
  };
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(27, 28, 29, 30, 31, 32), (seed, protocol) => {
      const random = new Random(seed);
      const wire = plainWire(protocol, { atimes: random.chance(50), sumLength: 16, relative: random.chance(50) });
      outcome(wire, random.bytes(200));
      const bytes = encode(wire, randomList(random, wire, 15), 0);
      for (let i = 0; i < 5; i++) {
        const mutated = Buffer.from(bytes);
        for (let k = random.int(3); k >= 0; k--) mutated[random.int(mutated.length)] = random.next();
        outcome(wire, mutated);
        outcome(wire, bytes.subarray(0, random.int(bytes.length)));
      }
    }),
    { numRuns: 400 },
  );
  t.pass();
});
