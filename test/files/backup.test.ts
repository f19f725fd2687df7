import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Backup, type BackupOptions } from '../../src/files/backup.js';
import { Root } from '../../src/files/root.js';
import { utimensat } from '../../src/libc/libc.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;
const BASE: BackupOptions = {
  backupDir: '',
  suffix: '~',
  owner: true,
  group: true,
  times: true,
  omitDirTimes: false,
  links: true,
  safeLinks: false,
  mungeLinks: false,
  devices: true,
  specials: true,
};

for (const kind of ['plain', 'confined'] as const) {
  t.test(`beside the file, in a ${kind} tree`, (t) => {
    const dir = tempDir(t);
    const root = Root[kind](dir);
    t.teardown(() => root.close());
    const seen: string[] = [];
    const backup = new Backup(root, BASE, isRoot, { onBackup: (from, to) => seen.push(`${from} ${to}`) });
    mkdirSync(join(dir, 'd'));
    writeFileSync(join(dir, 'd/f'), 'one');
    t.equal(backup.save('d/f'), 'moved');
    t.strictSame(readdirSync(join(dir, 'd')), ['f~']);
    writeFileSync(join(dir, 'd/f'), 'two');
    t.equal(backup.keep('d/f'), 'kept');
    t.equal(readFileSync(join(dir, 'd/f~'), 'latin1'), 'two', 'the older backup is replaced');
    t.equal(readFileSync(join(dir, 'd/f'), 'latin1'), 'two', 'the file is still there');
    t.equal(backup.keep('d/f'), 'kept', 'both names are one file now');
    t.equal(backup.save('d/f'), 'moved');
    t.notOk(existsSync(join(dir, 'd/f')), 'also when rename() has nothing to do');
    t.equal(backup.save('d/none'), 'none');
    t.strictSame(seen.slice(0, 1), ['d/f d/f~']);
    t.ok(backup.isBackupName('d/f~'));
    t.notOk(backup.isBackupName('~'), 'nothing before the suffix');
    t.equal(backup.nameFor('a/b'), 'a/b~');
    t.end();
  });

  t.test(`in a directory of its own, in a ${kind} tree`, (t) => {
    const dir = tempDir(t);
    const root = Root[kind](dir);
    t.teardown(() => root.close());
    const backup = new Backup(root, { ...BASE, backupDir: 'old/er/', suffix: '' }, isRoot);
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    for (const name of ['a/b/f', 'a/b/g', 'a/h', 'top', 'a/b/in']) writeFileSync(join(dir, name), name);
    symlinkSync('f', join(dir, 'a/b/l'));
    chmodSync(join(dir, 'a/b'), 0o750);
    chmodSync(join(dir, 'a'), 0o711);
    t.equal(backup.nameFor('a/h'), 'old/er/a/h');
    t.equal(backup.save('a/b/f'), 'moved');
    t.equal(backup.keep('a/b/l'), 'kept');
    t.equal(backup.save('top'), 'moved');
    t.equal(backup.save('a/h'), 'moved');
    t.equal(backup.save('a/b/g'), 'moved');
    t.equal(readFileSync(join(dir, 'old/er/a/b/g'), 'latin1'), 'a/b/g');
    t.equal(readlinkSync(join(dir, 'old/er/a/b/l')), 'f');
    t.equal(statSync(join(dir, 'old/er/a/b')).mode & 0o777, 0o750, 'its directories look like the originals');
    t.equal(statSync(join(dir, 'old/er/a')).mode & 0o777, 0o711);
    t.notOk(backup.isBackupName('x~'));
    utimesSync(join(dir, 'a/b/in'), 5, 1_000);
    t.equal(backup.copyOf('a/b/in'), 'kept');
    const copy = statSync(join(dir, 'old/er/a/b/in'));
    t.equal(copy.mtimeMs, 1_000_000);
    t.not(copy.ino, statSync(join(dir, 'a/b/in')).ino, 'a copy, not a link');
    t.equal(backup.pathFor('top').length > 0, true);
    t.end();
  });
}

t.test('what is in the way of a backup goes', (t) => {
  const dir = tempDir(t);
  const outside = tempDir(t);
  writeFileSync(join(outside, 'victim'), 'safe');
  const root = Root.confined(dir);
  t.teardown(() => root.close());
  mkdirSync(join(dir, 'bak'));
  mkdirSync(join(dir, 'd'));
  writeFileSync(join(dir, 'd/victim'), 'mine');
  symlinkSync(outside, join(dir, 'bak/d'));
  const backup = new Backup(root, { ...BASE, backupDir: 'bak', suffix: '' }, isRoot);
  t.equal(backup.save('d/victim'), 'moved');
  t.equal(readFileSync(join(outside, 'victim'), 'latin1'), 'safe', 'a link in the backup tree is not followed');
  t.equal(readFileSync(join(dir, 'bak/d/victim'), 'latin1'), 'mine');
  writeFileSync(join(dir, 'd/x'), 'file');
  mkdirSync(join(dir, 'bak/d/x/deep'), { recursive: true });
  t.equal(backup.keep('d/x'), 'kept');
  t.equal(readFileSync(join(dir, 'bak/d/x'), 'latin1'), 'file', 'a directory that has the backup’s name');
  t.throws(() => new Backup(root, { ...BASE, backupDir: '../bak' }, isRoot).save('d/x'), 'a backup outside the tree');
  t.throws(() => new Backup(root, { ...BASE, backupDir: outside }, isRoot).save('d/x'));
  t.ok(existsSync(join(dir, 'd/x')), 'what cannot be kept stays');
  t.end();
});

t.test('over file systems it is copied, with its attributes', (t) => {
  const dir = tempDir(t);
  const shm = mkdtempSync('/dev/shm/tsrsync-');
  t.teardown(() => rmSync(shm, { recursive: true }));
  if (statSync(dir).dev === statSync(shm).dev) {
    t.pass('one file system only');
    t.end();
    return;
  }
  const backup = new Backup(Root.plain(dir), { ...BASE, backupDir: shm }, isRoot);
  writeFileSync(join(dir, 'f'), 'content');
  chmodSync(join(dir, 'f'), 0o4751);
  utimensat(Buffer.from(join(dir, 'f')), null, 0, 1_600_000_000, 987_654_321, true);
  symlinkSync('target', join(dir, 'l'));
  linkSync(join(dir, 'f'), join(dir, 'other name'));
  t.equal(backup.save('f'), 'kept', 'the caller removes the original');
  t.equal(backup.save('l'), 'kept');
  const st = lstatSync(join(shm, 'f~'), { bigint: true });
  t.equal(st.mtimeNs, 1_600_000_000_987_654_321n);
  t.equal(Number(st.mode) & 0o7777, 0o4751);
  t.equal(readFileSync(join(shm, 'f~'), 'latin1'), 'content');
  t.equal(readlinkSync(join(shm, 'l~')), 'target');
  t.equal(backup.save('l'), 'kept', 'again over the older one');
  t.equal(new Backup(Root.plain(dir), { ...BASE, backupDir: shm, links: false }, isRoot).save('l'), 'none');
  t.end();
});

t.test('a link that leads out of the tree is not kept with --safe-links', (t) => {
  const dir = tempDir(t);
  const unsafe: string[] = [];
  const o = { ...BASE, safeLinks: true };
  const make = (more: Partial<BackupOptions>) =>
    new Backup(Root.plain(dir), { ...o, ...more }, isRoot, {
      onUnsafe: (path, target) => unsafe.push(`${path} ${target}`),
    });
  mkdirSync(join(dir, 'd'));
  for (const [name, target] of [
    ['out', '../x'],
    ['d/in', '../x'],
    ['d/absolute', '/x'],
    ['munged', '/rsyncd-munged/x'],
  ]) {
    symlinkSync(target, join(dir, name));
  }
  t.equal(make({}).keep('out'), 'none');
  t.equal(make({}).save('d/in'), 'moved');
  t.equal(make({}).save('d/absolute'), 'none');
  t.equal(make({}).keep('munged'), 'none');
  t.equal(make({ mungeLinks: true }).keep('munged'), 'kept');
  t.equal(make({ links: false }).keep('out'), 'kept', 'without --links nobody looks');
  t.strictSame(unsafe, ['out ../x', 'd/absolute /x', 'munged /rsyncd-munged/x']);
  t.end();
});
