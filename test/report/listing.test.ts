import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FileList } from '../../protocol/flist/list.js';
import { listLine } from '../../src/report/listing.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';
import { addFile, options, realRsync } from './support.js';

/** Sizes at every border of the units, and between. */
function sizes(): number[] {
  const out = [0, 1, 9, 10, 99, 100, 123456, 1125, 1375, 10125];
  for (const base of [1000, 1024]) {
    for (let power = 1; power <= 4; power++) {
      const n = base ** power;
      out.push(n - 1, n, n + 1, n * 9.995, n * 99.995, n * 999 + 995 * base ** (power - 1), (n / 1000) * 1005);
    }
  }
  const random = new Random(5);
  for (let i = 0; i < 60; i++) out.push((random.next() >>> random.int(32)) * (1 + random.int(900)));
  return [...new Set(out.map((n) => Math.min(Math.round(n), 7 * 1024 ** 4)))];
}

function makeTree(dir: string): string[] {
  mkdirSync(dir);
  const names = sizes().map((size) => {
    const name = `size-${size}`;
    writeFileSync(join(dir, name), '');
    truncateSync(join(dir, name), size);
    return name;
  });
  for (const mode of [0o000, 0o644, 0o755, 0o4755, 0o4644, 0o2755, 0o2644, 0o1777, 0o1666, 0o7777, 0o7000]) {
    const name = `mode-${mode.toString(8)}`;
    writeFileSync(join(dir, name), '');
    chmodSync(join(dir, name), mode);
    names.push(name);
  }
  [0, 1, 951_782_400, 1_711_850_400, 2_147_483_648, -86_400, 32_503_680_000].forEach((time, i) => {
    writeFileSync(join(dir, `time-${i}`), '');
    utimesSync(join(dir, `time-${i}`), 1_000_000_000 + i, time);
    names.push(`time-${i}`);
  });
  symlinkSync('some target', join(dir, 'link'));
  mkdirSync(join(dir, 'sub'));
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  writeFileSync(join(dir, 'sub', 'inner'), 'x');
  return [...names, 'link', 'pipe', 'sub', 'sub/inner'];
}

t.test('lines of --list-only are those of rsync', async (t) => {
  const dir = join(tempDir(t), 'tree');
  const names = makeTree(dir);
  const zone = process.env.TZ;
  t.teardown(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  const cases: [string[], Parameters<typeof options>[0], string][] = [
    [['--no-h'], { humanReadable: 0 }, 'UTC'],
    [[], { humanReadable: 1 }, 'Europe/Berlin'],
    [['-h'], { humanReadable: 2 }, 'UTC'],
    [['-hh'], { humanReadable: 3 }, 'UTC'],
    [['-U'], { atimes: 1 }, 'UTC'],
    [['--no-links'], { links: false }, 'UTC'],
  ];
  for (const [flags, changes, tz] of cases) {
    process.env.TZ = tz;
    const expected = realRsync(['-a', '--list-only', ...flags, `${dir}/`], { TZ: tz }).split(/(?<=\n)/);
    const list = new FileList();
    const ours = names.map((name) => listLine(list, addFile(list, dir, name), options(changes)));
    const shown = expected.filter((line) => !line.endsWith(' .\n'));
    const unlinked = flags.includes('--no-links') ? ours.filter((line) => !line.endsWith(' link\n')) : ours;
    t.same(
      unlinked.sort(),
      shown.filter((line) => flags[0] !== '--no-links' || !/ link\n/.test(line)).sort(),
      flags.join(' '),
    );
  }
});

t.test('an argument that is missing is listed as missing', async (t) => {
  const dir = tempDir(t);
  const args = ['--list-only', '--delete-missing-args', '-r', `${dir}/gone`];
  const list = new FileList();
  const row = list.addRow();
  list.setName(row, Buffer.from('gone'), 0, 4);
  list.setMode(row, 0);
  list.setMtime(row, 0);
  t.equal(listLine(list, row, options({ deleteMissingArgs: true })), realRsync(args));
});
