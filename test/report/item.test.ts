import { chownSync, linkSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Item, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from '../../protocol/constants.js';
import { FileList } from '../../protocol/flist/list.js';
import { deletedLine, digestHex, ItemFormat, type ReportItem } from '../../src/report/item.js';
import { tempDir } from '../lib/temp.js';
import { addFile, context, oneEntry, options, realRsync } from './support.js';

const NEW = Item.IS_NEW | Item.TRANSFER;
const LOCAL_NEW = Item.IS_NEW | Item.LOCAL_CHANGE;

/** Formats whose values do not depend on what a run cost. */
const FORMATS = [
  '%n%L',
  '%i %n%L',
  '%o %f|%n|%l|%B|%M|%U|%G',
  "%'l %''l %'''l %10'l|%-10''l|%'10l|",
  '[%-20n][%20n][%5n][%-3n][%012n][%-012n]',
  '%7U|%-7U|%07U|%-07U|%07l|%07o|%7G|%07G',
  '%10L|%-10L|%2L|%-L|',
  '%h %a %u %P %q %- %5 %',
  '%%%5%|%-5%|',
  '%m|%3m|',
  '%20i|%-20i|%3i|',
  "%'n %n' %''''l",
  '%5B|%12B|%25M|%-25M|',
  '%08f|%-30f|%30f|',
  'no directive',
  '100%',
  "50%'",
  'caf\xc3\xa9 %n',
  '%00000000000000000000000005n|',
];

function makeSource(dir: string): string[] {
  mkdirSync(join(dir, 'sub', 'deep'), { recursive: true });
  writeFileSync(join(dir, 'big'), Buffer.alloc(1_234_567));
  writeFileSync(join(dir, 'a name with blanks'), 'x', { mode: 0o4755 });
  writeFileSync(join(dir, 'sub', 'inner'), 'hello');
  writeFileSync(join(dir, 'sub', 'deep', 'empty'), '', { mode: 0o600 });
  symlinkSync('somewhere/else', join(dir, 'link'));
  if (process.getuid?.() === 0) chownSync(join(dir, 'big'), 1234, 54321);
  const names = ['a name with blanks', 'big', 'link', 'sub/inner', 'sub/deep/empty', 'sub', 'sub/deep'];
  for (const name of names)
    if (name !== 'link') utimesSync(join(dir, name), 1_700_000_000, 1_600_000_000 + name.length);
  return names;
}

/** The lines that our formatter makes for a first copy of the tree. */
function ourLines(format: string, dir: string, names: string[]): string[] {
  const ctx = context({ options: options() });
  const formatter = new ItemFormat(format, ctx);
  const list = new FileList();
  return names.map((name) => {
    const row = addFile(list, dir, name);
    const iflags = list.isRegular(row) ? NEW : LOCAL_NEW;
    return formatter.format({ list, row, iflags, xname: null, sourcePath: dir });
  });
}

t.test('every directive and width prints what rsync prints', async (t) => {
  const dir = tempDir(t);
  const src = join(dir, 'src');
  const names = makeSource(src);
  process.env.TZ = 'UTC';
  FORMATS.forEach((format, i) => {
    const printed = realRsync([
      '-a',
      Buffer.from(`--out-format=<${format}`, 'latin1').toString(),
      `${src}/`,
      join(dir, `dst${i}/`),
    ]);
    const expected = printed.split(/\n(?=<)|\n$/).filter((line) => line.startsWith('<'));
    // The top directory is told as `./`: it has no counterpart in our list.
    const ours = ourLines(`<${format}`, src, names).map((line) => line.slice(0, -1));
    const root = ourLines(`<${format}`, src, []);
    t.equal(root.length, 0);
    t.equal(expected.length, ours.length + 1, format);
    t.same(
      ours.filter((line) => !expected.includes(line)),
      [],
      format,
    );
  });
});

t.test('a hard link names its leader', async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'src', 'a'), 'x');
  linkSync(join(dir, 'src', 'a'), join(dir, 'src', 'b'));
  const printed = realRsync(['-aH', '--out-format=%i %n%L|%6L|', `${dir}/src/`, `${dir}/dst/`]);
  const list = new FileList();
  // Which of the two leads is a matter of the list's order.
  const follower = printed.includes('b => a') ? 'b' : 'a';
  const leader = Buffer.from(follower === 'a' ? 'b' : 'a');
  const row = addFile(list, join(dir, 'src'), follower);
  const iflags = LOCAL_NEW | Item.XNAME_FOLLOWS;
  const line = new ItemFormat('%i %n%L|%6L|', context()).format({ list, row, iflags, xname: leader });
  t.ok(printed.includes(line), line);
});

t.test('%C is the digest that rsync shows', async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'src', 'a'), 'hi\n');
  const wire: Record<string, string> = {
    md5: '764efa883dda1e11db47671c4a3bbd9e',
    xxh64: '343d5092dd6304d5',
    xxh128: '70cebeb23a1a4db3aa4c39f97c49d0f4',
  };
  for (const [name, hex] of Object.entries(wire)) {
    const digest = Buffer.from(hex, 'hex');
    const shown = realRsync(['-ac', `--checksum-choice=${name}`, '--out-format=%C', `${dir}/src/a`, `${dir}/${name}`]);
    t.equal(`${digestHex(digest, name)}\n`, shown, name);
    const list = new FileList(digest.length);
    const row = addFile(list, join(dir, 'src'), 'a');
    digest.copy(list.sum(row));
    const ctx = context({ options: options({ checksum: true }), listSum: name });
    const format = new ItemFormat('%C', ctx);
    const item: ReportItem = { list, row, iflags: NEW, xname: null };
    t.equal(format.format(item), `${digestHex(digest, name)}\n`);
    t.equal(format.formatDeletion('x', S_IFREG), `${' '.repeat(32)}\n`);
  }
  const { list, row } = oneEntry(S_IFREG);
  const item = { list, row, iflags: Item.TRANSFER, xname: null };
  t.equal(new ItemFormat('%C|', context()).format({ ...item, fileSum: 'abcd' }), 'abcd|\n');
  t.equal(
    new ItemFormat('%C|', context({ transferSumLength: 8 })).format({ ...item, iflags: 0 }),
    `${' '.repeat(16)}|\n`,
  );
});

t.test('what a transfer cost is zero for items without one', async (t) => {
  const { list, row } = oneEntry(S_IFREG);
  const format = new ItemFormat("%b %'c %''b", context());
  const item: ReportItem = { list, row, iflags: Item.TRANSFER, xname: null, bytesWritten: 12345, checksumBytes: 1234 };
  t.equal(format.format(item), '12345 1,234 12.35K\n');
  t.equal(format.format({ ...item, iflags: 0 }), '0 0 0\n');
});

t.test('what is known of a daemon is shown, the process and the time too', async (t) => {
  process.env.TZ = 'UTC';
  const { list, row } = oneEntry(S_IFREG);
  const ctx = context({ host: 'h', addr: '1.2.3.4', module: 'mod', modulePath: '/p', authUser: '', direction: 'recv' });
  const format = new ItemFormat('%h %a %m %P <%u> %p %t %o %5h|', ctx);
  const item: ReportItem = { list, row, iflags: 0, xname: null, sourcePath: '/mod//./x/' };
  t.equal(format.format(item), 'h 1.2.3.4 mod /p <> 4711 2026/09/21 14:13:20 recv     h|\n');
  t.equal(new ItemFormat('%f', ctx).format(item), 'mod/x/name\n');
});

t.test('an owner or a group that is not kept has no number', async (t) => {
  const { list, row } = oneEntry(S_IFREG);
  list.setUid(row, 7);
  list.setGid(row, 7);
  const ctx = context({ options: options({ owner: false, group: false }) });
  t.equal(new ItemFormat('%U %G %9G', ctx).format({ list, row, iflags: 0, xname: null }), '0 DEFAULT   DEFAULT\n');
});

t.test('the itemized letters', async (t) => {
  const all = Item.TRANSFER | 0x1fe | Item.REPORT_ATIME;
  const cases: [number, number, Parameters<typeof context>[0], string][] = [
    [S_IFREG, NEW, {}, '>f+++++++++'],
    [S_IFREG, NEW, { localServer: false }, '<f+++++++++'],
    [S_IFREG, NEW, { localServer: false, direction: 'recv' }, '>f+++++++++'],
    [S_IFDIR, LOCAL_NEW, {}, 'cd+++++++++'],
    [S_IFLNK, LOCAL_NEW, {}, 'cL+++++++++'],
    [S_IFREG, Item.TRANSFER | Item.MISSING_DATA, {}, '>f?????????'],
    [S_IFREG, Item.DELETED, {}, '*deleting  '],
    [S_IFREG, Item.TRANSFER | Item.REPORT_SIZE | Item.REPORT_TIME, {}, '>f.st......'],
    [S_IFREG, Item.TRANSFER | Item.REPORT_TIME, { options: options({ times: false }) }, '>f..T......'],
    [S_IFREG, Item.TRANSFER, {}, '>f.........'],
    [S_IFREG, 0, {}, '.f         '],
    [S_IFDIR, Item.REPORT_TIME, {}, '.d..t......'],
    [S_IFREG, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS, {}, 'hf         '],
    [S_IFREG, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS | Item.REPORT_PERMS, {}, 'hf...p.....'],
    [S_IFLNK, Item.LOCAL_CHANGE | Item.REPORT_CHANGE | Item.REPORT_TIME, {}, 'cLc.t......'],
    [S_IFLNK, Item.LOCAL_CHANGE | Item.REPORT_TIME | Item.REPORT_TIMEFAIL, {}, 'cL..T......'],
    [S_IFLNK, Item.LOCAL_CHANGE | Item.REPORT_TIME, { symlinkTimes: false }, 'cL..T......'],
    [S_IFREG, all | Item.REPORT_CHANGE, {}, '>fcstpoguax'],
    [S_IFREG, Item.REPORT_CRTIME, {}, '.f......n..'],
    [S_IFREG, Item.REPORT_CRTIME | Item.REPORT_ATIME, {}, '.f......b..'],
    [S_IFSOCK, LOCAL_NEW, {}, 'cS+++++++++'],
    [S_IFIFO, 0, {}, '.S         '],
    [S_IFCHR, LOCAL_NEW, {}, 'cD+++++++++'],
    [S_IFBLK, Item.REPORT_OWNER, {}, '.D....o....'],
  ];
  for (const [mode, iflags, changes, expected] of cases) {
    const { list, row } = oneEntry(mode);
    t.equal(new ItemFormat('%i', context(changes)).format({ list, row, iflags, xname: null }), `${expected}\n`);
  }
});

t.test('deletions are told as rsync tells them', async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'src'));
  const cases: [string[], string, number][] = [
    [['-v'], '%n%L', 1],
    [['-i'], '%i %n%L', 0],
    [['--out-format=%n'], '%n', 0],
    [['--out-format=%o %l %M %f %n%L %B'], '%o %l %M %f %n%L %B', 0],
    [['-q'], '', 0],
  ];
  for (const [flags, format, del] of cases) {
    mkdirSync(join(dir, 'dst', 'd'), { recursive: true });
    writeFileSync(join(dir, 'dst', 'f'), 'x');
    symlinkSync('x', join(dir, 'dst', 'l'));
    const log = join(dir, 'log');
    const shown = realRsync(['-a', '--delete', ...flags, `--log-file=${log}`, `${dir}/src/`, `${dir}/dst/`], {
      TZ: 'UTC',
    });
    process.env.TZ = 'UTC';
    const ctx = context({ direction: 'recv' });
    const o = options({ info: { del } });
    const formatter = format === '' ? null : new ItemFormat(format, ctx);
    const expected = shown.match(/^(deleting|\*deleting|del\.) ?.*\n|^[dfl]\/?\n/gm) ?? [];
    // A server tells its client of a deletion no more than whether it was a directory.
    const ours = [
      deletedLine('l', S_IFREG, o, formatter),
      deletedLine('f', S_IFREG, o, formatter),
      deletedLine('d', S_IFDIR, o, formatter),
    ];
    t.same(ours.filter((line) => line !== '').sort(), [...expected].sort(), flags.join(' '));
    t.match(readFileSync(log, 'latin1'), '*deleting   f\n');
  }
});

t.test('what a format has is found where rsync finds it', async (t) => {
  const has = (format: string) => {
    const f = new ItemFormat(format, context());
    return [f.usesItemize, f.tellsDeletions];
  };
  t.same(has('%i'), [true, true]);
  t.same(has("%'-12'i"), [true, true]);
  t.same(has('%o'), [false, true]);
  t.same(has('%%i'), [false, false]);
  t.same(has('%n i o'), [false, false]);
});

t.test('no format makes the formatter fail', async (t) => {
  const { list, row } = oneEntry(S_IFLNK);
  const pieces = fc.array(fc.constantFrom(...`%%%%'-0123456789${'hallUGpMBofnLmtPubcCi'}z \n`), { maxLength: 30 });
  fc.assert(
    fc.property(pieces, fc.nat(), (chars, iflags) => {
      const line = new ItemFormat(chars.join(''), context()).format({ list, row, iflags, xname: null });
      return line.endsWith('\n');
    }),
  );
  t.end();
});
