import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConsoleLog } from '../../src/report/log.js';
import { commaNumber, fixed, humanNumber } from '../../src/report/numbers.js';
import {
  type FileCounts,
  logTotals,
  type RunStats,
  statsLines,
  summaryLines,
  writeSummary,
} from '../../src/report/stats.js';
import { tempDir } from '../lib/temp.js';
import { capture, options, realRsync } from './support.js';

const NO_FILES: FileCounts = { total: 0, reg: 0, dir: 0, link: 0, dev: 0, special: 0 };

const RUN: RunStats = {
  sent: 1_234_567,
  received: 8_901,
  totalSize: 123_456_789,
  files: { total: 12_345, reg: 12_000, dir: 300, link: 40, dev: 3, special: 2 },
  created: NO_FILES,
  deleted: { ...NO_FILES, total: 1, dir: 1 },
  transferredFiles: 1_500,
  transferredSize: 2_000_000,
  literal: 1_048_576,
  matched: 951_424,
  listSize: 65_536,
  listBuildMs: 1,
  listTransferMs: 1_234_567,
  elapsedMs: 2_999,
};

/** Takes the numbers out of what rsync printed, so that the words around them can be compared. */
function parse(text: string): RunStats {
  const after = (label: string) => text.match(new RegExp(`${label}: (.*)`))?.[1] ?? '0';
  const number = (label: string) => Number.parseFloat(after(label));
  const counts = (label: string): FileCounts => {
    const of = (kind: string) => Number(after(label).match(new RegExp(`${kind}: (\\d+)`))?.[1] ?? 0);
    const total = Number.parseInt(after(label), 10);
    return { total, reg: of('reg'), dir: of('dir'), link: of('link'), dev: of('dev'), special: of('special') };
  };
  const rate = Number(text.match(/([\d.]+) bytes\/sec/)?.[1]);
  const traffic = number('Total bytes sent') + number('Total bytes received');
  return {
    sent: number('Total bytes sent'),
    received: number('Total bytes received'),
    totalSize: number('Total file size'),
    files: counts('Number of files'),
    created: counts('Number of created files'),
    deleted: counts('Number of deleted files'),
    transferredFiles: number('Number of regular files transferred'),
    transferredSize: number('Total transferred file size'),
    literal: number('Literal data'),
    matched: number('Matched data'),
    listSize: number('File list size'),
    listBuildMs: Math.round(number('File list generation time') * 1000),
    listTransferMs: Math.round(number('File list transfer time') * 1000),
    elapsedMs: 1000 * Math.round(traffic / rate - 0.5),
  };
}

t.test('the statistics have the words of rsync', async (t) => {
  const dir = tempDir(t);
  const src = join(dir, 'src');
  mkdirSync(join(src, 'sub'), { recursive: true });
  writeFileSync(join(src, 'a'), 'x'.repeat(5000));
  writeFileSync(join(src, 'sub', 'b'), 'y');
  symlinkSync('a', join(src, 'l'));
  execFileSync('mkfifo', [join(src, 'p')]);
  mkdirSync(join(dir, 'dst', 'old'), { recursive: true });
  const o = options({ humanReadable: 0 });
  for (const flags of [['-n'], [], ['--protocol=30'], ['--protocol=28']]) {
    const protocol = Number(flags[0]?.match(/=(.*)/)?.[1] ?? 32);
    const printed = realRsync(['-a', '--delete', '--stats', '--no-h', ...flags, `${src}/`, `${dir}/dst/`]);
    const run = parse(printed);
    t.equal(
      [...statsLines(run, o, protocol), ...summaryLines(run, o, flags[0] === '-n' ? 'dry run' : 'real')].join(''),
      printed,
      flags.join(' '),
    );
  }
});

t.test('numbers in every form of -h', async (t) => {
  const lines = (humanReadable: number) => statsLines(RUN, options({ humanReadable }), 32).join('').split('\n');
  t.same(lines(1), [
    '',
    'Number of files: 12,345 (reg: 12,000, dir: 300, link: 40, dev: 3, special: 2)',
    'Number of created files: 0',
    'Number of deleted files: 1 (dir: 1)',
    'Number of regular files transferred: 1,500',
    'Total file size: 123,456,789 bytes',
    'Total transferred file size: 2,000,000 bytes',
    'Literal data: 1,048,576 bytes',
    'Matched data: 951,424 bytes',
    'File list size: 65,536',
    'File list generation time: 0.001 seconds',
    'File list transfer time: 1,234.567 seconds',
    'Total bytes sent: 1,234,567',
    'Total bytes received: 8,901',
    '',
  ]);
  t.equal(lines(2)[4], 'Number of regular files transferred: 1,500');
  t.equal(lines(2)[7], 'Literal data: 1.05M bytes');
  t.equal(lines(3)[7], 'Literal data: 1.00M bytes');
  const summary = (humanReadable: number) => summaryLines(RUN, options({ humanReadable }), 'dry run').join('');
  t.equal(
    summary(1),
    '\nsent 1,234,567 bytes  received 8,901 bytes  497,387.20 bytes/sec\n' +
      'total size is 123,456,789  speedup is 99.28 (DRY RUN)\n',
  );
  t.equal(
    summary(2),
    '\nsent 1.23M bytes  received 8.90K bytes  497.39K bytes/sec\ntotal size is 123.46M  speedup is 99.28 (DRY RUN)\n',
  );
  t.equal(logTotals(RUN), 'sent 1234567 bytes  received 8901 bytes  total size 123456789\n');
});

t.test('old protocols do not count creations and deletions, an unknown list time is left out', async (t) => {
  t.notMatch(statsLines(RUN, options(), 30).join(''), 'deleted files');
  t.match(statsLines(RUN, options(), 30).join(''), 'created files');
  t.notMatch(statsLines(RUN, options(), 28).join(''), 'created files');
  t.notMatch(statsLines({ ...RUN, listBuildMs: 0 }, options(), 32).join(''), 'File list generation');
});

t.test('what is printed at the end depends on --info=stats', async (t) => {
  for (const stats of [0, 1, 2]) {
    const out = await capture(t, (fds) => {
      const log = new ConsoleLog({ quiet: false, eightBit: false, stderrMode: 'errors', outbuf: '' }, null, fds);
      writeSummary(log, RUN, options({ info: { stats } }), 32, 'batch only');
      log.close();
    });
    t.equal(out.stdout.includes('Number of files'), stats === 2);
    t.equal(out.stdout.endsWith('speedup is 99.28 (BATCH ONLY)\n'), stats >= 1);
    t.notMatch(out.stdout, '\\#');
  }
});

t.test('decimals are rounded like those of printf', async (t) => {
  const values = [0.125, 0.375, 0.625, 0.875, 1.005, 2.5, 0.005, 99.995, -0.125, -0.375, 0, 12345.678];
  for (const digits of [0, 2, 3]) {
    for (const value of values) {
      const expected = execFileSync('printf', [`%.${digits}f`, value.toString()], { env: { LC_ALL: 'C' } }).toString();
      // The program reads decimal text with more digits than a double has: only values that both hold are compared.
      if (Number.isInteger(value * 1024)) t.equal(fixed(value, digits), expected, `${value}`);
    }
  }
  t.equal(fixed(Number.POSITIVE_INFINITY, 2), 'inf');
  t.equal(fixed(Number.NaN, 2), '-nan');
});

t.test('grouping and units', async (t) => {
  t.equal(commaNumber(1234567, 3), '1,234,567');
  t.equal(commaNumber(1234567, 0), '1234567');
  t.equal(commaNumber(1999.999, 1, 2), '1,999.00', 'whole digits are cut, not rounded, once they are grouped');
  t.equal(humanNumber(999.999, 2, 2), '1000.00');
  t.equal(humanNumber(1234.5, 2, 2), '1.23K');
  t.equal(humanNumber(-1234567, 1), '-1,234,567');
  t.equal(humanNumber(2 ** 60, 3), '1024.00P');
});
