import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { NDX_FLIST_EOF } from '../../protocol/constants.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import { ItemHeader, readItemHeader, writeItem } from '../../protocol/request.js';
import { readStats, writeStats } from '../../protocol/stats.js';
import { collector, plainWire } from './capture.js';
import { sortedPaths } from './make-list.js';

// The annotated session of the protocol description: a push of two files with -rtp and protocol 32.

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex');
const wire = plainWire(32, { incremental: true, owner: false, group: false, links: false, devices: false });

const frame = hex(`32000007
  19 01 2e 000010 65c8f153 ed410000
  18 05 622e747874 000800 6564f153 a4810000
  1a 05 612e747874 000600 6500f153
  00 00 ff01`);

t.test('the list of the trace', async (t) => {
  const reader = new ByteReader();
  reader.startFrames(() => {});
  reader.push(frame);
  const list = new FileList();
  const decoder = new EntryDecoder(wire, list);
  t.same(
    [0, 1, 2, 3].map(() => decoder.next(reader)),
    [1, 1, 1, 2],
  );
  reader.begin();
  t.equal(new NdxReader(32).read(reader), NDX_FLIST_EOF);
  t.equal(reader.buffered, 0);
  const segment = list.addSegment(-1, true);
  finishSegment(list, segment, { protocol: 32, removeDuplicates: true, incremental: true, pruneEmptyDirs: false });
  t.same(sortedPaths(list, segment), ['./', 'a.txt', 'b.txt']);
  t.same(
    [0, 1, 2].map((row) => list.size(row)),
    [4096, 8, 6],
  );
  t.same(
    [0, 1, 2].map((row) => list.mtime(row)),
    [1700000200, 1700000100, 1700000000],
  );
  t.same(
    [0, 1, 2].map((row) => list.mode(row)),
    [0o040755, 0o100644, 0o100644],
  );
  t.equal(list.flags(0), EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR);

  const { writer, taken } = collector();
  writer.startFrames();
  const encoder = new EntryEncoder(wire, list, { userName: () => null, groupName: () => null });
  for (let row = 0; row < 3; row++) encoder.encode(writer, row);
  encoder.end(writer, 0);
  new NdxWriter(32).write(writer, NDX_FLIST_EOF);
  t.equal(taken().toString('hex'), frame.toString('hex'));
});

t.test('the first requests of the trace', async (t) => {
  const { writer, taken } = collector();
  const ndx = new NdxWriter(32);
  for (const [index, iflags] of [
    [0, 8],
    [2, 0xa000],
    [3, 0xa000],
  ])
    writeItem(writer, ndx, 32, index, iflags, 0x80, null);
  t.equal(taken().toString('hex'), '010800' + '0200a0' + '0100a0');
});

t.test('the start of a list of protocol 29', async (t) => {
  const reader = new ByteReader();
  reader.push(hex('19 01 2e 00100000 01105e5f ed410000 00'));
  const list = new FileList();
  const decoder = new EntryDecoder(plainWire(29, { owner: false, group: false }), list);
  t.same([decoder.next(reader), decoder.next(reader)], [1, 2]);
  t.same([list.path(0), list.size(0), list.mtime(0), list.mode(0)], ['.', 4096, 0x5f5e1001, 0o040755]);
});

t.test('a name of a sub-list of protocol 30, after "s"', async (t) => {
  const reader = new ByteReader();
  reader.push(hex('18 01 73 000010 65c8f153 ed410000 00  38 01 02 2f67 000000 65c8f153 a4810000'));
  const list = new FileList();
  const decoder = new EntryDecoder(
    plainWire(30, { owner: false, group: false, incremental: true, varintFlags: false }),
    list,
  );
  t.same([decoder.next(reader), decoder.next(reader), decoder.next(reader)], [1, 2, 1]);
  t.equal(list.path(1), 's/g');
});

t.test('statistics', async (t) => {
  const reader = new ByteReader();
  reader.push(hex('001400 004100 000400 000100 000000'));
  const stats = { read: 20, written: 65, totalSize: 4, listBuildMs: 1, listTransferMs: 0 };
  t.same(readStats(reader, 32), stats);
  const { writer, taken } = collector();
  writeStats(writer, 32, stats);
  t.equal(taken().toString('hex'), '001400004100000400000100000000');
});

t.test('a hard link that was made', async (t) => {
  const reader = new ByteReader();
  reader.push(hex('0070 03 782f79'));
  const item = new ItemHeader();
  t.ok(readItemHeader(reader, 32, item));
  t.same([item.iflags, item.basisType, item.xname?.toString()], [0x7000, 0x80, 'x/y']);
});
