import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { escapeForLog, escapeMessage, escapeName } from '../../src/report/escape.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';
import { realRsync } from './support.js';

const ODD_NAMES = [
  'plain',
  'tab\there',
  'nl\nhere',
  'cr\rhere',
  'esc\x1b[31m',
  'del\x7f',
  '\\#123',
  'a\\#12',
  'a\\#128b\\#1a2',
  '\\\\#001',
  'caf\xc3\xa9',
  'c1\xc2\x80',
  'long form\xc0\x80',
  'long form\xe0\x80\x80',
  'long form\xf0\x80\x80\x80',
  'surrogate\xed\xa0\x80',
  'beyond\xf4\x90\x80\x80',
  'f7\xf7\xbf\xbf\xbf',
  'f8\xf8\x88\x80\x80\x80',
  'five, too long\xf8\x87\xbf\xbf\xbf',
  'six\xfc\x84\x80\x80\x80\x80',
  'six, last\xfd\xbf\xbf\xbf\xbf\xbf',
  'six, too long\xfc\x83\xbf\xbf\xbf\xbf',
  'seven\xfe\x82\x80\x80\x80\x80\x80',
  'cut\xe3\x81',
  'cut\xf0\x9f\x98',
  'cut then plain\xe3(',
  '\xff\xfe',
  'latin \xe9t\xe9',
  '\xf0\x9f\x98\x80',
];

/** Names of random bytes with many of those that matter. */
function randomNames(count: number): string[] {
  const random = new Random(20);
  const lively = [...'\xfc\xfd\x84\x88\\#0179\n\t\x01\x1f\x7f\x80\x9f\xa0\xbf\xc2\xe0\xe3\xed\xf0\xf4\xf7\xf8\xff'];
  const names = new Set<string>();
  while (names.size < count) {
    let name = '';
    for (let i = 1 + random.int(9); i > 0; i--) {
      name += random.chance(70) ? random.pick(lively) : String.fromCharCode(1 + random.int(255));
    }
    name = name.replaceAll('/', 'x');
    if (name !== '.' && name !== '..') names.add(name);
  }
  return [...names];
}

function makeFiles(dir: string, names: string[]): void {
  mkdirSync(dir);
  for (const name of names) writeFileSync(Buffer.from(`${dir}/${name}`, 'latin1'), '');
}

const NAMES = [...ODD_NAMES, ...randomNames(300)];

t.test('names look as those that rsync prints', async (t) => {
  const src = join(tempDir(t), 'src');
  makeFiles(src, NAMES);
  const cases: [string, string[], boolean, boolean][] = [
    ['C.UTF-8', [], false, true],
    ['C', [], false, false],
    ['C.UTF-8', ['-8'], true, true],
    ['C', ['-8'], true, false],
  ];
  for (const [locale, flags, eightBit, utf8] of cases) {
    const printed = realRsync(['-rn', '--no-dirs', '--out-format=>%n', ...flags, `${src}/`, '/nonexistent/'], {
      LC_ALL: locale,
    });
    const expected = printed.split('\n').filter((line) => line.startsWith('>') && line !== '>./');
    const ours = NAMES.map((name) => `>${escapeName(name, eightBit, utf8)}`);
    t.same(ours.sort(), expected.sort(), `${locale} ${flags}`);
  }
});

t.test('names in a log file look as those that rsync writes', async (t) => {
  const dir = tempDir(t);
  makeFiles(join(dir, 'src'), NAMES);
  const log = join(dir, 'log');
  realRsync(['-r', `--log-file=${log}`, '--log-file-format=>%n', `${dir}/src/`, `${dir}/dst/`]);
  const expected = readFileSync(log, 'latin1')
    .split('\n')
    .map((line) => line.slice(line.indexOf('] ') + 2))
    .filter((line) => line.startsWith('>') && line !== '>./');
  t.same(NAMES.map((name) => `>${escapeForLog(name)}`).sort(), expected.sort());
});

t.test('only the newline at the end of a message is a newline', async (t) => {
  const shout = (text: string) => `<${text}>`;
  t.equal(escapeMessage('a\n', shout), '<a>\n');
  t.equal(escapeMessage('a', shout), '<a>');
  t.equal(escapeMessage('\ra\r', shout), '\r<a>\r');
  t.equal(escapeMessage('a\n\n', shout), '<a\n>\n');
  t.equal(escapeMessage('\n', shout), '<>\n');
  t.equal(escapeMessage('', shout), '<>');
});

t.test('an escaped name has no control characters and can be read back', async () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b).toString('latin1'));
  fc.assert(
    fc.property(bytes, fc.boolean(), fc.boolean(), (name, eightBit, utf8) => {
      const escaped = escapeName(name, eightBit, utf8);
      const back = escaped.replace(/\\#([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
      const ambiguous = /\\#[0-9]*[89]/.test(name);
      return !/[\x00-\x08\x0a-\x1f]/.test(escaped) && (ambiguous || back === name);
    }),
  );
});
