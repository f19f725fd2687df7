import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { becomesEqual } from '../lib/mirror.js';
import { place, running, targetOf } from '../lib/mirrored.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { killGroup } from '../lib/run.js';
import { waitFor } from '../lib/wait.js';

const MIB = 1024 * 1024;

const QUICK = { backOff: { firstMs: 100, mostMs: 500 } };

for (const program of [RSYNC, TSRSYNC]) {
  t.test(`${program.name}: a directory that moves is built from its old place`, async (t) => {
    const { source, copy, daemon } = await place(t, program);
    const random = new Random(3);
    fs.mkdirSync(join(source, 'old/sub'), { recursive: true });
    fs.mkdirSync(join(source, 'other'));
    fs.mkdirSync(join(source, 'deep/er'), { recursive: true });
    for (let i = 0; i < 8; i++) fs.writeFileSync(join(source, `old/sub/f${i}`), random.bytes(2 * MIB));
    const { target } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])]);
    await becomesEqual(source, copy);
    const before = target().sentBytes;
    fs.renameSync(join(source, 'old'), join(source, 'other/new'));
    fs.appendFileSync(join(source, 'other/new/sub/f1'), 'and more');
    await becomesEqual(source, copy);
    fs.renameSync(join(source, 'other/new'), join(source, 'deep/er/newer'));
    await becomesEqual(source, copy);
    // A directory that is made and moved into at once is not watched yet when that happens.
    fs.mkdirSync(join(source, 'archive/of'), { recursive: true });
    fs.renameSync(join(source, 'deep/er/newer'), join(source, 'archive/of/old'));
    await becomesEqual(source, copy);
    t.ok(target().sentBytes - before < MIB / 4, `${target().sentBytes - before} bytes`);
  });

  t.test(`${program.name}: a large file that moves is built from its old place`, async (t) => {
    const { source, copy, daemon } = await place(t, program);
    fs.mkdirSync(join(source, 'a/b'), { recursive: true });
    fs.writeFileSync(join(source, 'download.part'), new Random(7).bytes(4 * MIB));
    fs.writeFileSync(join(source, 'a/other'), new Random(8).bytes(3 * MIB));
    const { target } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])]);
    await becomesEqual(source, copy);
    const before = target().sentBytes;
    const moves = [
      'download.part download',
      'download a/b/download',
      'a/b/download a/b/final',
      'a/b/final final',
      'a/other other',
    ];
    for (const move of moves) {
      const [from, to] = move.split(' ');
      fs.renameSync(join(source, from), join(source, to));
      await becomesEqual(source, copy);
      t.ok(target().sentBytes - before < MIB / 4, `${move}: ${target().sentBytes - before} bytes`);
    }
    // No session comes in between.
    fs.renameSync(join(source, 'final'), join(source, 'passing'));
    fs.renameSync(join(source, 'passing'), join(source, 'a/last'));
    await becomesEqual(source, copy);
    t.ok(target().sentBytes - before < MIB / 4, `two moves at once: ${target().sentBytes - before} bytes`);
    // Over there, the name that the second one gets is still taken.
    fs.renameSync(join(source, 'other'), join(source, 'older'));
    fs.renameSync(join(source, 'a/last'), join(source, 'other'));
    await becomesEqual(source, copy);
    t.ok(target().sentBytes - before < 4.5 * MIB, `a rotation: ${target().sentBytes - before} bytes`);
    // Its content is not over there yet.
    fs.writeFileSync(join(source, 'new.part'), new Random(9).bytes(2 * MIB));
    fs.renameSync(join(source, 'new.part'), join(source, 'new'));
    await becomesEqual(source, copy);
    t.equal(target().failedSessions, 0);
  });

  t.test(`${program.name}: without --delete it is copied over there, and shares nothing`, async (t) => {
    const { source, copy, daemon } = await place(t, program);
    fs.mkdirSync(join(source, 'old'));
    fs.writeFileSync(join(source, 'old/file'), new Random(4).bytes(2 * MIB));
    const { target } = await running(t, source, [targetOf(daemon, ['-a'])]);
    const before = target().sentBytes;
    fs.renameSync(join(source, 'old'), join(source, 'new'));
    await becomesEqual(join(source, 'new'), join(copy, 'new'));
    t.ok(target().sentBytes - before < MIB / 4, `${target().sentBytes - before} bytes`);
    t.equal(fs.statSync(join(copy, 'new/file')).nlink, 1);
    t.ok(fs.existsSync(join(copy, 'old/file')));
  });

  t.test(`${program.name}: a daemon that goes away and comes back`, async (t) => {
    const { source, copy, daemon, again } = await place(t, program);
    const { target, lines } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])], QUICK);
    fs.writeFileSync(join(source, 'one'), '1');
    await becomesEqual(source, copy);
    await daemon.stop();
    fs.writeFileSync(join(source, 'two'), '2');
    await waitFor(() => target().attempts >= 3, 10_000, 'three attempts');
    t.equal(lines.filter((line) => line.startsWith('error:')).length, 1, lines.join('\n'));
    t.match(target().lastError, { exitCode: 10, text: /failed to connect to 127.0.0.1/ });
    t.match(target(), { phase: 'waiting to retry', pending: 1 });
    await again();
    await becomesEqual(source, copy);
    await waitFor(() => target().phase === 'in step', 5000, 'the target to be in step');
    t.match(lines.at(-1), /^info: copy: in step again after/);
  });
}

const KILLED: [Program, string[]][] = [
  [RSYNC, []],
  [RSYNC, ['--protocol=29']],
  [TSRSYNC, []],
];

for (const [program, more] of KILLED) {
  t.test(`${[program.name, ...more].join(' ')}: no half file of a daemon that is killed stays`, async (t) => {
    let { source, copy, daemon, again } = await place(t, program);
    for (const name of ['sub/deep/kept', 'sub/other/kept']) {
      fs.mkdirSync(join(source, name), { recursive: true });
      fs.writeFileSync(join(source, name, 'file'), name);
    }
    const { target } = await running(
      t,
      source,
      [targetOf(daemon, ['-a', '--delete', '--bwlimit=500', ...more])],
      QUICK,
    );
    const sessions = () => target().sessions;
    for (const dir of ['sub', '']) {
      const before = sessions();
      fs.writeFileSync(join(source, dir, 'large'), new Random(6).bytes(MIB / 2));
      const halves = () => fs.readdirSync(join(copy, dir)).filter((name) => name.startsWith('.large.'));
      await waitFor(() => halves().length > 0, 5000, 'the large file to be on its way');
      killGroup(daemon.child, 'SIGKILL');
      await daemon.stop();
      t.equal(halves().length, 1, 'nobody has removed it');
      await waitFor(() => sessions() > before, 5000, 'the session to fail');
      daemon = await again();
      await becomesEqual(source, copy, { times: false });
      t.same(halves(), [], `no half file in "${dir}"`);
    }
  });
}

t.test('without -H, what is written through one name arrives under the others', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  fs.mkdirSync(join(source, 'sub'));
  fs.writeFileSync(join(source, 'one'), 'before');
  fs.linkSync(join(source, 'one'), join(source, 'sub/two'));
  await running(t, source, [targetOf(daemon, ['-a', '--delete'])]);
  for (const content of ['a', 'a new one']) {
    fs.writeFileSync(join(source, 'one'), content);
    const holds = () => fs.readFileSync(join(copy, 'sub/two'), 'latin1') === content;
    await waitFor(holds, 5000, 'the other name to be written');
  }
  await becomesEqual(source, copy, { hardLinks: false });
});

t.test('with several sessions at once a large file does not hold up the others', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  fs.mkdirSync(join(source, 'sub'));
  const spec = { ...targetOf(daemon, ['-a', '--delete', '--bwlimit=500']), maxSessions: 2 };
  const { target } = await running(t, source, [spec]);
  fs.writeFileSync(join(source, 'large'), new Random(5).bytes(2 * MIB));
  const isComing = () => fs.readdirSync(copy).some((name) => name.startsWith('.large.'));
  await waitFor(isComing, 5000, 'the large file to be on its way');
  for (let i = 0; i < 3; i++) {
    fs.writeFileSync(join(source, `sub/small${i}`), String(i));
    await waitFor(() => fs.existsSync(join(copy, `sub/small${i}`)), 5000, 'a small file');
    t.notOk(fs.existsSync(join(copy, 'large')), 'before the large one');
  }
  // What concerns the large file waits for its session.
  fs.renameSync(join(source, 'large'), join(source, 'sub/renamed'));
  fs.writeFileSync(join(source, 'large'), 'another');
  await becomesEqual(source, copy, {}, 30_000);
  t.equal(target().failedSessions, 0);
});

t.test('one target down does not hold up the other, and catches up by itself', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  const second = await place(t, RSYNC);
  const targets = [targetOf(daemon, ['-a', '--delete'], 'up'), targetOf(second.daemon, ['-a', '--delete'], 'down')];
  const { target } = await running(t, source, targets, QUICK);
  await second.daemon.stop();
  for (let i = 0; i < 20; i++) {
    fs.writeFileSync(join(source, `file${i}`), `${i}`);
    await becomesEqual(source, copy, {}, 3000);
  }
  await waitFor(() => target('down').attempts > 0, 5000, 'the other target to fail');
  t.equal(target('up').failedSessions, 0);
  await second.again();
  await becomesEqual(source, second.copy);
});

const NO_CHATTR = process.getuid?.() === 0 ? false : 'only root can make a directory immutable';

t.test('a file that cannot be written over there fails alone and is tried again', { skip: NO_CHATTR }, async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  const { target, lines } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])], QUICK);
  fs.mkdirSync(join(source, 'dir'));
  fs.writeFileSync(join(source, 'dir/file'), 'x');
  await becomesEqual(source, copy);
  execFileSync('chattr', ['+i', join(copy, 'dir')]);
  t.teardown(() => execFileSync('chattr', ['-i', join(copy, 'dir')]));
  fs.writeFileSync(join(source, 'dir/other'), 'y');
  fs.writeFileSync(join(source, 'outside'), 'z');
  await becomesEqual(join(source, 'outside'), join(copy, 'outside'));
  await waitFor(() => target().failing.some((f) => f.path === 'dir/other' && f.attempts > 1), 10_000, 'a second try');
  t.equal(target().phase === 'in step' || target().phase === 'sending', true);
  execFileSync('chattr', ['-i', join(copy, 'dir')]);
  await becomesEqual(source, copy);
  await waitFor(() => target().failing.length === 0, 5000, 'nothing to fail any more');
  t.ok(
    lines.some((line) => /Operation not permitted/.test(line)),
    lines.join('\n'),
  );
});

t.test('a source whose root is replaced is not taken for one that was emptied', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  fs.writeFileSync(join(source, 'precious'), '1');
  const { mirror, target, lines } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])], QUICK);
  fs.renameSync(source, `${source}.away`);
  fs.mkdirSync(source);
  fs.writeFileSync(join(source, 'new'), '2');
  await waitFor(() => target().attempts > 1, 10_000, 'attempts');
  t.same(fs.readdirSync(copy), ['precious']);
  t.match(lines.join('\n'), /is not the directory that it was/);
  mirror.resync();
  await becomesEqual(source, copy);
});

t.test('a file that is appended to all the time arrives now and then', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  const { target } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])]);
  const fd = fs.openSync(join(source, 'log'), 'a');
  const before = target().sessions;
  const size = () => fs.statSync(join(copy, 'log'), { throwIfNoEntry: false })?.size ?? 0;
  const writer = setInterval(() => fs.writeSync(fd, 'a line\n'), 5);
  t.teardown(() => clearInterval(writer));
  await waitFor(() => size() > 0, 10_000, 'a first part');
  const first = size();
  await waitFor(() => size() > first, 10_000, 'a second part');
  clearInterval(writer);
  fs.closeSync(fd);
  await becomesEqual(source, copy);
  t.ok(target().sessions - before < 10, `${target().sessions - before} sessions`);
});

t.test('a batch that would delete too much is held back until it is resumed', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  for (let i = 0; i < 40; i++) fs.writeFileSync(join(source, `file${i}`), 'x');
  const deleteGuard = { maxPercent: 50, fromEntries: 5 };
  const { mirror, target, lines } = await running(t, source, [targetOf(daemon, ['-a', '--delete'])], { deleteGuard });
  for (let i = 0; i < 4; i++) fs.unlinkSync(join(source, `file${i}`));
  await becomesEqual(source, copy);
  mirror.pause();
  for (let i = 4; i < 36; i++) fs.unlinkSync(join(source, `file${i}`));
  await waitFor(() => target().pending >= 32, 5000, 'the deletions to be seen');
  mirror.resume();
  await waitFor(() => target().guard !== null, 5000, 'the guard');
  t.equal(fs.readdirSync(copy).length, 36);
  t.match(target(), { phase: 'paused', guard: /3[23] of about 41 entries would be deleted, more than 50 %/ });
  t.match(lines.at(-1), /paused until it is resumed/);
  mirror.resume();
  await becomesEqual(source, copy);
  for (const name of fs.readdirSync(source)) fs.unlinkSync(join(source, name));
  mirror.resync();
  await waitFor(() => target().guard !== null, 5000, 'the guard of an empty source');
  t.match(target().guard, /is empty/);
  t.equal(fs.readdirSync(copy).length, 4);
});

t.test('what was not deleted because of an error is deleted when that is mended', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  const beside = join(source, '..', 'beside');
  fs.mkdirSync(join(source, 'd'));
  fs.mkdirSync(beside);
  fs.writeFileSync(join(source, 'd', 'one'), 'one');
  fs.writeFileSync(join(copy, 'stale'), 'stale');
  // With -L a link that leads to nowhere is an error, after which the other side deletes nothing.
  const dangle = (dir: string) => fs.symlinkSync('nowhere', join(dir, 'link'));
  dangle(source);
  const { target } = await running(t, source, [targetOf(daemon, ['-aL', '--delete'])], QUICK);
  t.ok(fs.existsSync(join(copy, 'd', 'one')));
  t.ok(fs.existsSync(join(copy, 'stale')), 'of a comparison of everything');
  fs.unlinkSync(join(source, 'link'));
  await becomesEqual(source, copy);
  dangle(beside);
  const { sessions } = target();
  fs.renameSync(join(source, 'd'), join(beside, 'd'));
  fs.renameSync(beside, join(source, 'd'));
  await waitFor(() => target().sessions > sessions + 1, 20_000, 'the directory to be compared');
  fs.unlinkSync(join(source, 'd', 'link'));
  await becomesEqual(source, copy);
});
