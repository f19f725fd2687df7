import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { type Charset, convertPath, convertTarget } from '../../protocol/charset.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, FileList, ndxAt, rowOf } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import { openCharset } from '../../src/session/charset.js';
import { collector, plainWire } from './capture.js';
import { addEntry, dirMode } from './make-list.js';

const NO_NAMES = { userName: () => null, groupName: () => null };
const utf8 = (text: string) => Buffer.from(text).toString('latin1');

/** The entries as they travel without a conversion. */
function encoded(paths: readonly string[], change: object = {}): Buffer {
  const wire = plainWire(32, { hardLinks: false, ...change });
  const list = new FileList();
  for (const path of paths) {
    if (path.includes('->')) {
      const [name, target] = path.split('->');
      list.setTarget(addEntry(list, { path: name, mode: 0o120777 }), Buffer.from(target, 'latin1'));
    } else {
      const isDir = path.endsWith('/');
      addEntry(list, { path: isDir ? path.slice(0, -1) : path, mode: isDir ? dirMode : 0o100644 });
    }
  }
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, list, NO_NAMES);
  for (let row = 0; row < list.count; row++) encoder.encode(writer, row);
  encoder.end(writer, 0);
  return taken();
}

function decoded(input: Buffer, charset: Charset | null) {
  const list = new FileList();
  const names = charset === null ? null : { charset, targets: true };
  const decoder = new EntryDecoder(plainWire(32, { hardLinks: false, names }), list);
  const told: [string, string | null][] = [];
  decoder.onUnnamed = (name, target) => told.push([name, target]);
  const reader = new ByteReader();
  reader.push(input);
  while (decoder.next(reader) !== 2);
  const segment = list.addSegment(-1, true);
  return { list, told, segment };
}

const isUnnamed = (list: FileList, row: number) => (list.flags(row) & EntryFlag.UNNAMED) !== 0;

/** Turns letters into what a hostile peer would like them to become. */
const TREACHEROUS: Charset = {
  toWire: (text) => text,
  toLocal: (text) =>
    text.replace(/S/g, '/').replace(/N/g, '\0').replace(/D/g, '.').replace(/E/g, '').replace(/L/g, 'l'.repeat(4096)),
  fault: () => 'wrong',
};

t.test('characters that would become slashes, NULs, dots or nothing make a name that is left out', async (t) => {
  const bad = ['aSb', 'SetcSpasswd', 'aNb', 'DD', 'D', 'dir/DD/x', 'E', 'dir/E/x', 'L', 'DDSx', 'dirSDDSx', '.D'];
  const { list, told } = decoded(encoded([...bad, 'ok', 'dir/ok', 'aDb']), TREACHEROUS);
  bad.forEach((name, row) => {
    t.ok(isUnnamed(list, row), name);
    t.ok(list.isInactive(row));
    t.equal(list.path(row), '\0', 'what is left names nothing');
  });
  t.same(
    told,
    bad.map((name) => [name, null]),
  );
  t.same(
    [bad.length, bad.length + 1, bad.length + 2].map((row) => list.path(row)),
    ['ok', 'dir/ok', 'a.b'],
  );
  for (const target of ['aNb', 'L']) {
    const link = decoded(encoded([`link->${target}`]), TREACHEROUS);
    t.ok(isUnnamed(link.list, 0));
    t.same(link.told, [['link', target]]);
  }
  t.throws(() => decoded(encoded(['a/../b']), TREACHEROUS), /unsafe pathname/, 'what is unsafe as it came stays so');
});

t.test('names that cannot be converted keep their numbers', async (t) => {
  const charset = await openCharset('latin1');
  const paths = ['日', 'z', 'é', '日本/', 'a/', '日本/x', 'a/日', 'a/y'].map(utf8);
  const { list, told, segment } = decoded(encoded(paths), charset);
  finishSegment(list, segment, {
    protocol: 32,
    removeDuplicates: true,
    incremental: true,
    numbersAsSent: true,
    pruneEmptyDirs: false,
  });
  t.same(
    told.map(([name]) => name),
    [0, 3, 5, 6].map((i) => paths[i].replace(/\/$/, '')),
  );
  const active = paths.map((_, row) => !list.isInactive(row));
  t.same(active, [false, true, true, false, true, false, false, true]);
  t.same(
    [1, 2, 4, 7].map((row) => list.path(row)),
    ['z', 'é', 'a', 'a/y'],
  );
  for (let i = 0; i < segment.count; i++) {
    t.equal(rowOf(segment, segment.firstNdx + i), segment.start + i, 'indexes count as entries came');
    const ndx = ndxAt(segment, i);
    t.equal(rowOf(segment, ndx), segment.order === null ? segment.start + i : segment.order[i]);
  }
  t.same(
    [3, 4].map((row) => list.extra(row)),
    [0, 1],
    'and so do the numbers of directories',
  );
});

t.test('what a list says comes back, over the same names in two character sets', async (t) => {
  const koi8 = await openCharset('koi8-r');
  const wire = plainWire(32, { hardLinks: false, names: { charset: koi8, targets: true } });
  const list = new FileList();
  // "да", "да/нет", "да/нет2" and a link in KOI8-R.
  for (const path of ['\xc4\xc1', '\xc4\xc1/\xce\xc5\xd4', '\xc4\xc1/\xce\xc5\xd42'])
    addEntry(list, { path, mode: 0o100644 });
  list.setTarget(addEntry(list, { path: 'link', mode: 0o120777 }), Buffer.from('\xc4\xc1', 'latin1'));
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, list, NO_NAMES);
  for (let row = 0; row < list.count; row++) encoder.encode(writer, row);
  encoder.end(writer, 0);
  const bytes = taken();
  const plain = decoded(bytes, null).list;
  t.same(
    [0, 1, 2, 3].map((row) => plain.path(row)),
    ['да', 'да/нет', 'да/нет2', 'link'].map(utf8),
  );
  t.equal(plain.target(3).toString(), 'да');
  const { list: back } = decoded(bytes, await openCharset('cp1251'));
  t.same(
    [0, 1, 2].map((row) => back.path(row)),
    ['\xe4\xe0', '\xe4\xe0/\xed\xe5\xf2', '\xe4\xe0/\xed\xe5\xf22'],
  );
});

t.test('conversions are strict', async (t) => {
  const utf = await openCharset('utf8');
  for (const text of ['\xff', '\xc3', '\xed\xa0\x80', '\xc0\xaf', '\xf5\x80\x80\x80']) {
    t.equal(utf.toWire(text), null, JSON.stringify(text));
    t.equal(utf.toLocal(text), null, JSON.stringify(text));
  }
  t.equal(utf.fault('\xc3'), 'Invalid argument');
  t.match(utf.fault('a\xff'), 'Invalid or incomplete multibyte');
  t.equal(utf.toWire(utf8('\ufeffé')), utf8('\ufeffé'), 'a mark at the beginning is a part of the name');
  const wrong: Record<string, string[]> = {
    ascii: ['\xe9'],
    cp1252: ['\x81'],
    'euc-jp': ['\xa4', '\xa4\xff', 'a\xff'],
    shift_jis: ['\x82', '\x81\x20'],
    gb18030: ['\x81', '\x81\x30\x81'],
    big5: ['\xa4', '\xa4\x20'],
  };
  for (const [name, texts] of Object.entries(wrong)) {
    const charset = await openCharset(name);
    for (const text of texts) t.equal(charset.toWire(text), null, `${name} ${JSON.stringify(text)}`);
    t.equal(charset.toLocal(utf8('\ufffd')), null, `${name}: the sign for what is wrong`);
    t.equal(charset.toLocal('\xff'), null);
    t.equal(charset.toLocal('name'), 'name');
  }
  const latin = await openCharset('ISO-8859-1');
  t.equal(latin.toLocal(utf8('€')), null);
  t.equal(latin.toLocal(utf8('é?')), 'é?');
  t.equal(latin.toWire('\x80\xff'), utf8('\x80\xff'));
  t.equal((await openCharset('cp1252')).toLocal(utf8('€')), '\x80');
  t.equal(convertPath(latin, 'toWire', '\xe9'.repeat(3000)), null, 'too long for a path');
  t.equal(convertTarget(latin, 'toWire', '\xe9'.repeat(3000)), null);
  for (const name of ['nonsense', 'hex', 'base64', 'ucs2', 'utf16', 'utf32', 'latin1//TRANSLIT']) {
    await t.rejects(openCharset(name), { exitCode: 4, message: `iconv_open("UTF-8", "${name}") failed` }, name);
  }
});
