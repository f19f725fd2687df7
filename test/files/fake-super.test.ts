import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FileList } from '../../protocol/flist/list.js';
import type { Options } from '../../protocol/options.js';
import { AttributeSetter } from '../../src/files/attrs.js';
import { lstatFake, makeFake, parseFakeStat, readFakeLink, storeFakeStat } from '../../src/files/fake-super.js';
import { IdMap } from '../../src/files/ids.js';
import { Root } from '../../src/files/root.js';
import { FileStat } from '../../src/files/stat.js';
import { mknod } from '../../src/libc/libc.js';
import { getXattr, setXattr } from '../../src/libc/xattrs.js';
import { cleanEnv } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;
const NAMES = ['file', 'suid', 'dir', 'link', 'fifo', 'dev', 'plain'];
const path = (...parts: string[]) => Buffer.from(join(...parts));

function build(dir: string): void {
  mkdirSync(join(dir, 'src/dir'), { recursive: true });
  for (const name of ['file', 'suid', 'plain']) writeFileSync(join(dir, 'src', name), name);
  symlinkSync('some/target', join(dir, 'src/link'));
  mknod(path(dir, 'src/fifo'), 0o010640, 0, 0);
  mknod(path(dir, 'src/dev'), 0o060666, 8, 300);
  for (const name of ['file', 'dir', 'link', 'fifo', 'dev'])
    spawnSync('chown', ['-h', '77:88', join(dir, 'src', name)]);
  chmodSync(join(dir, 'src/file'), 0o440);
  chmodSync(join(dir, 'src/suid'), 0o4755);
  chmodSync(join(dir, 'src/dir'), 0o1551);
}

t.test('stored and read as rsync does it', { skip: isRoot ? false : 'devices need root' }, (t) => {
  const dir = tempDir(t);
  build(dir);
  const args = ['-a', '-M--fake-super', `${dir}/src/`, `${dir}/theirs/`];
  const done = spawnSync('rsync', args, { encoding: 'latin1', env: cleanEnv() });
  if (done.status !== 0) {
    t.match(done.stderr, /Operation not supported/, 'only a file system without attributes may refuse');
    t.end();
    return;
  }
  const root = Root.confined(dir);
  t.teardown(() => root.close());
  mkdirSync(join(dir, 'ours/dir'), { recursive: true });
  const o = {
    perms: true,
    owner: true,
    group: true,
    times: true,
    atimes: 0,
    modifyWindow: 0,
    fakeSuper: true,
  } as Options;
  Object.assign(o, { numericIds: true, usermap: '', groupmap: '', omitDirTimes: false, omitLinkTimes: false });
  const fail = (text: string) => void t.fail(text);
  const reporter = { fullName: (name: string) => name, problem: fail, failure: fail, warning: fail, info: fail };
  const attrs = new AttributeSetter(
    o,
    new IdMap(o, true, { users: new Map(), groups: new Map(), id0Names: true }),
    reporter,
    { isRoot: true },
  );
  for (const name of NAMES) {
    const st = new FileStat();
    t.equal(lstatFake(path(dir, 'theirs', name), st), 0);
    const source = lstatSync(join(dir, 'src', name));
    t.match(st, { mode: source.mode, uid: source.uid, gid: source.gid }, `${name} as rsync stored it`);
    if (name === 'dev') t.match(st, { rdevMajor: 8, rdevMinor: 300 });

    const list = new FileList();
    const row = list.addRow();
    list.setName(row, Buffer.from(name), 0, name.length);
    list.setMode(row, source.mode);
    list.setUid(row, source.uid);
    list.setGid(row, source.gid);
    if (name === 'dev') list.setDevice(row, 8, 300);
    const content = name === 'link' ? 'some/target' : source.isFile() ? name : '';
    if (name !== 'dir') makeFake(root, `ours/${name}`, Buffer.from(content), false);
    lstatFake(path(dir, 'ours', name), st);
    attrs.apply(path(dir, 'ours', name), list, row, st, { isNew: true });
    const [ours, theirs] = ['ours', 'theirs'].map((side) => path(dir, side, name));
    t.equal(
      getXattr(ours, 'user.rsync.%stat')?.toString('latin1'),
      getXattr(theirs, 'user.rsync.%stat')?.toString('latin1'),
      `${name} as we store it`,
    );
    t.equal(lstatSync(ours).mode, lstatSync(theirs).mode, `${name}: the real mode`);
    if (name !== 'dir') t.ok(readFileSync(ours).equals(readFileSync(theirs)));
  }
  t.equal(readFakeLink(path(dir, 'theirs/link')).toString(), 'some/target');
  t.end();
});

t.test('what cannot be read is refused', (t) => {
  for (const text of [
    '',
    '100644 0,0 0',
    '100648 0,0 1:1',
    '7777777 0,0 1:1',
    '100644 0,0 1:99999999999',
    '100644 0,0 -1:1',
  ]) {
    t.equal(parseFakeStat(text), null, text);
  }
  t.same(parseFakeStat('20600 1,3 5:6'), { mode: 0o20600, major: 1, minor: 3, uid: 5, gid: 6 });
  const dir = tempDir(t);
  const file = path(dir, 'f');
  writeFileSync(file, 'x'.repeat(5000));
  t.throws(() => readFakeLink(file), { code: 'ENAMETOOLONG' });
  t.throws(() => storeFakeStat(path(dir, 'none'), { mode: 0o100644, major: 0, minor: 0, uid: 1, gid: 1 }), {
    code: 'ENOENT',
  });
  try {
    setXattr(file, 'user.rsync.%stat', Buffer.from('garbage'));
  } catch {
    t.end();
    return;
  }
  t.throws(() => lstatFake(file, new FileStat()), {
    exitCode: 11,
    message: /^Corrupt user\.rsync\.%stat xattr attached to/,
  });
  t.end();
});
