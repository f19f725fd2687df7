import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConsoleLog } from '../../src/report/log.js';
import { ListProgress, Progress, type ProgressSource } from '../../src/report/progress.js';
import { tempDir } from '../lib/temp.js';
import { capture, options, realRsync } from './support.js';

interface Bench {
  progress: Progress;
  source: ProgressSource;
  clock: { ms: number };
  lines: string[];
}

function bench(level: number, human = 1): Bench {
  const lines: string[] = [];
  const clock = { ms: 1_000_000 };
  const o = options({ info: { progress: level }, humanReadable: human });
  const progress = new Progress(
    o,
    (text) => lines.push(text),
    () => clock.ms,
  );
  const source: ProgressSource = {
    stats: { transferredFiles: 0, transferredSize: 0, totalSize: 0, files: { total: 0 } },
    listComplete: true,
  };
  progress.source = source;
  return { progress, source, clock, lines };
}

t.test('a file that is sent at once has two lines, an empty one has one', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'empty'), '');
  writeFileSync(join(dir, 'small'), 'x');
  const real = (file: string) => realRsync(['--progress', join(dir, file), join(dir, 'copy')]);
  const ours = (size: number) => {
    const { progress, source, lines } = bench(1);
    source.stats.files.total = 1;
    source.stats.transferredFiles = 1;
    progress.startFile(size, 0);
    progress.endFile();
    return lines.join('');
  };
  t.equal(`empty\n${ours(0)}`, real('empty'));
  t.equal(`small\n${ours(1)}`, real('small'));
});

t.test('a long file has a line a second', async (t) => {
  const { progress, source, clock, lines } = bench(1);
  source.stats.files.total = 4;
  source.stats.transferredFiles = 1;
  progress.startFile(3_000_000, 1);
  progress.update(32_768);
  clock.ms += 999;
  progress.update(1_000_000);
  clock.ms += 24;
  progress.update(1_081_344);
  clock.ms += 1_023;
  progress.update(2_129_920);
  clock.ms += 800;
  progress.endFile();
  t.same(lines, [
    '\r         32,768   1%    0.00kB/s    0:00:00  ',
    '\r      1,081,344  36% 1000.98kB/s    0:00:01  ',
    '\r      2,129,920  70% 1000.98kB/s    0:00:00  ',
    '\r      3,000,000 100% 1018.16kB/s    0:00:02 (xfr#1, to-chk=2/4)\n',
  ]);
});

t.test('the rate is that of the last five updates', async (t) => {
  const { progress, clock, lines } = bench(1);
  progress.startFile(100 * 1024 * 1024, 0);
  progress.update(0);
  const MIB = 1024 * 1024;
  for (let i = 1; i <= 8; i++) {
    clock.ms += 1000;
    progress.update(i <= 2 ? i * 20 * MIB : 40 * MIB + (i - 2) * 1024);
  }
  const rates = lines.map((line) => line.match(/% +([\d.]+.B\/s)/)?.[1]);
  t.same(rates, [
    '0.00kB/s',
    '20.00MB/s',
    '20.00MB/s',
    '13.33MB/s',
    '10.00MB/s',
    '5.00MB/s',
    '1.00kB/s',
    '1.00kB/s',
    '1.00kB/s',
  ]);
  t.match(lines.at(-1), / {2}17:28:28 {2}$/);
});

t.test('large rates, long times and units', async (t) => {
  const { progress, clock, lines } = bench(1, 2);
  progress.startFile(4e15, 0);
  progress.update(0);
  clock.ms += 1000;
  progress.update(3 * 1024 ** 3);
  clock.ms += 1000;
  progress.update(3 * 1024 ** 3 + 1);
  t.match(lines[1], /^\r {10}3\.22G {3}0% {4}3\.00GB\/s {2}353:12:44/);
  const slow = bench(1);
  slow.progress.startFile(1e12, 0);
  slow.progress.update(0);
  slow.clock.ms += 1000;
  slow.progress.update(1);
  t.match(slow.lines[1], /0\.00kB\/s {3}\?\?:\?\?:\?\? {2}$/);
});

t.test('a file counts from the end of the one before when that is not long ago', async (t) => {
  const { progress, clock, lines } = bench(1);
  const send = (pause: number) => {
    clock.ms += pause;
    lines.length = 0;
    progress.startFile(1024, 0);
    progress.update(1024);
    progress.endFile();
    return lines[0].match(/% +([\d.]+)kB/)?.[1];
  };
  t.equal(send(0), '0.00');
  t.equal(send(1000), '1.00');
  t.equal(send(1501), '0.00');
});

t.test('the whole run has one line that is written over', async (t) => {
  const { progress, source, clock, lines } = bench(2);
  const { stats } = source;
  stats.totalSize = 3_000_001;
  stats.files.total = 4;
  const file = (size: number, index: number) => {
    stats.transferredFiles++;
    stats.transferredSize += size;
    progress.startFile(size, index);
  };
  source.listComplete = false;
  file(3_000_000, 1);
  progress.update(32_768);
  clock.ms += 2865;
  progress.endFile();
  source.listComplete = true;
  file(0, 2);
  progress.endFile();
  stats.files.total = 3;
  file(1, 2);
  progress.update(1);
  progress.endFile();
  progress.endList(2);
  t.same(lines, [
    '\r         32,768   1%    0.00kB/s    0:00:00  ',
    '\r      3,000,000  99% 1011.41kB/s    0:00:02 (xfr#1, ir-chk=2/4)',
    '\r      3,000,000  99% 1011.41kB/s    0:00:02 (xfr#2, to-chk=1/4)',
    '\r      3,000,001 100% 1011.41kB/s    0:00:00  ',
    '\r      3,000,001 100% 1011.41kB/s    0:00:02 (xfr#3, to-chk=0/3)',
    '\r      3,000,001 100% 1011.41kB/s    0:00:02 (xfr#3, to-chk=0/3)',
  ]);
  stats.transferredFiles = 10;
  progress.endList(2);
  stats.transferredFiles = 9;
  progress.endList(2);
  t.ok(lines.at(-1)?.endsWith('(xfr#9, to-chk=0/3) '), 'a blank covers what is left of a longer line');
});

t.test('nothing moves on the terminal of somebody else', async (t) => {
  const { progress, lines } = bench(1);
  progress.foreground = () => false;
  progress.startFile(10, 0);
  progress.update(5);
  t.same(lines, []);
  progress.endFile();
  t.equal(lines.length, 1);
});

t.test('the list that grows', async (t) => {
  const shown = (flist: number, files: number) =>
    capture(t, (fds) => {
      const log = new ConsoleLog({ quiet: false, eightBit: false, stderrMode: 'errors', outbuf: '' }, null, fds);
      const list = new ListProgress(
        options({ info: { flist } }),
        (text) => log.progress(text),
        (text) => log.finishLine(text),
      );
      list.start('building file list');
      for (let i = 0; i <= files; i++) list.count(i);
      list.end(files);
      log.close();
    });
  const dir = tempDir(t);
  for (let i = 0; i < 249; i++) writeFileSync(join(dir, `f${i}`), '');
  const head = (args: string[]) =>
    realRsync(['-rn', '--no-inc-recursive', ...args, `${dir}/`, `${dir}/x/`]).split('created')[0];
  const all = head(['--info=flist2']);
  t.equal((await shown(2, 250)).stdout, all.slice(0, all.indexOf('consider\n') + 9));
  t.equal((await shown(2, 1)).stdout, 'building file list ... \n 0 files...\r1 file to consider\n');
  t.equal((await shown(1, 250)).stdout, 'building file list ... done\n');
});
