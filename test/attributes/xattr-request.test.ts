import t from 'tap';
import {
  writeXattrAnswer,
  writeXattrRequest,
  XattrAnswerReader,
  XattrRequestReader,
} from '../../protocol/attributes/xattr-request.js';
import { takeWanted, type Xattr, type XattrSet, XattrState } from '../../protocol/attributes/xattr-set.js';
import { KeptBytes } from '../../protocol/attributes/xattr-wire.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { writeVarint } from '../../protocol/bytes/varint.js';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { oneShot } from '../../protocol/hash/digest.js';
import { collector } from '../flist/capture.js';
import { cuts } from '../lib/splits.js';

const LONG = Buffer.alloc(100, 'x');

/** A set of long values but for the second one; as the side that has the values knows it, and as the other one does. */
function makeSet(): XattrSet {
  return [1, 2, 3, 4].map((number) => {
    const isLong = number !== 2;
    const digest = isLong ? oneShot('md5', [LONG]) : null;
    const value = isLong ? null : Buffer.from('v');
    return { name: `user.${number}`, length: isLong ? 100 : 1, value, digest, number, state: XattrState.ABBREVIATED };
  });
}

function written(write: (w: ByteWriter) => void): Buffer {
  const out = collector();
  write(out.writer);
  return out.taken();
}

function varints(numbers: readonly number[]): Buffer {
  return written((w) => {
    for (const number of numbers) writeVarint(w, number);
  });
}

function readIn<T>(chunks: readonly Buffer[], read: (r: ByteReader) => T | false): T {
  const reader = new ByteReader();
  for (const chunk of chunks) {
    reader.push(chunk);
    const result = read(reader);
    if (result !== false) return result;
  }
  throw new Error('nothing was read');
}

t.test('a request names the long values that a file does not have', (test) => {
  const set = makeSet();
  const other = { ...set[2], digest: oneShot('md5', [Buffer.from('other')]) };
  const wanted = takeWanted(set, [{ ...set[0], value: LONG }, other], false);
  test.same(
    wanted.map(({ number }) => number),
    [3, 4],
  );
  test.same(
    written((w) => writeXattrRequest(w, [...wanted].reverse())),
    Buffer.from([3, 1, 0]),
  );
  test.same(takeWanted(set, [], false), [set[0]], 'each once in a session');
  test.end();
});

t.test('values that the old file has are kept for a new one', (test) => {
  const set = makeSet();
  test.same(
    takeWanted(set, [{ ...set[0], value: LONG }], true).map(({ number }) => number),
    [3, 4],
  );
  test.same(set[0].value, LONG);
  test.end();
});

t.test('answers bring the values as they are now', (test) => {
  const now = new Map([
    ['user.1', LONG],
    ['user.3', Buffer.alloc(0)],
    ['user.4', Buffer.alloc(65536, 'y')],
  ]);
  for (const cut of cuts(
    written((w) =>
      writeXattrRequest(
        w,
        makeSet().filter(({ digest }) => digest),
      ),
    ),
    [7],
  )) {
    const theirs = makeSet();
    const requests = new XattrRequestReader();
    readIn(cut.chunks, (r) => requests.read(r, theirs));
    const answer = written((w) => writeXattrAnswer(w, theirs, ({ name }) => now.get(name) as Buffer));
    for (const { name, chunks } of cuts(answer, [8])) {
      const ours = makeSet();
      takeWanted(ours, [], false);
      const answers = new XattrAnswerReader(new KeptBytes());
      readIn(chunks, (r) => answers.read(r, ours));
      for (const item of ours) test.same(item.value, now.get(item.name) ?? Buffer.from('v'), `${name}: ${item.name}`);
    }
  }
  test.end();
});

t.test('a value that Linux cannot keep takes no memory', (test) => {
  const ours = makeSet();
  takeWanted(ours, [], false);
  const bytes = written((w) => {
    writeVarint(w, 1);
    writeVarint(w, 65537);
    w.bytes(Buffer.alloc(65537));
    w.u8(0);
  });
  const answers = new XattrAnswerReader(new KeptBytes());
  readIn([bytes.subarray(0, 30000), bytes.subarray(30000)], (r) => answers.read(r, ours));
  test.match(ours[0], { value: null, length: 65537, state: XattrState.DONE });
  test.end();
});

t.test('numbers that cannot be end the run', (test) => {
  const request = (set: readonly Xattr[], ...numbers: number[]) => {
    const requests = new XattrRequestReader();
    readIn([varints(numbers)], (r) => requests.read(r, set));
  };
  for (const numbers of [[5], [2], [-1], [1, -1], [1, 0x7fffffff, 0x7fffffff]]) {
    test.throws(() => request(makeSet(), ...numbers, 0), /invalid xattr/, `request ${numbers}`);
  }
  const asked = makeSet();
  request(asked, 1, 0);
  test.throws(() => request(asked, 1, 0), /invalid xattr/, 'a value that was asked for before');
  const answer = (...numbers: number[]) => {
    const answers = new XattrAnswerReader(new KeptBytes());
    const set = makeSet();
    set[0].state = XattrState.WANTED;
    readIn([varints(numbers)], (r) => answers.read(r, set));
  };
  for (const numbers of [
    [3, 0],
    [1, -1],
    [1, 128 * 1024 * 1024 + 1],
    [1, 0, 1, 0],
  ]) {
    test.throws(() => answer(...numbers, 0), /invalid xattr/, `answer ${numbers}`);
  }
  test.end();
});
