import { mkdirSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type DirectoryEntries, DirectoryReader } from '../../src/files/directory.js';
import { FileStat } from '../../src/files/stat.js';
import { canReadRaw } from '../../src/libc/directory.js';
import { hasLibc, libcLoaded } from '../../src/libc/libc.js';
import { tempDir } from '../lib/temp.js';

function nameOf(entries: DirectoryEntries, entry: number): string {
  const at = entries.nameOffset[entry];
  return Buffer.from(entries.arena.subarray(at, at + entries.nameLength[entry])).toString('latin1');
}

/** Everything that a reader says about a directory. */
function read(reader: DirectoryReader, path: string): unknown[] {
  const entries = reader.open(Buffer.from(path));
  const out: unknown[] = [];
  for (const entry of reader.sorted()) {
    const st = new FileStat();
    const errno = entries.stat(entry, st);
    const target = st.isLink ? entries.readLink(entry).toString('latin1') : null;
    out.push([nameOf(entries, entry), errno, { ...st, atime: 0, atimeNsec: 0 }, target]);
  }
  entries.close();
  return out;
}

/** Names of directories in the order of the list, from those of a directory that holds nothing else. */
function directories(reader: DirectoryReader, path: string): string[] {
  const entries = reader.open(Buffer.from(path));
  const numbers = Int32Array.from(reader.sorted());
  reader.sortDirectories(numbers);
  entries.close();
  return Array.from(numbers, (entry) => nameOf(entries, entry));
}

t.test('both ways of reading a directory say the same', (t) => {
  const dir = tempDir(t);
  for (const name of ['mixed', 'many', 'empty', 'dirs']) mkdirSync(join(dir, name));
  const odd = ['a', 'ab', 'a b', '-x', '.hidden', '..dots', 'line\nend', 'x'.repeat(255), ...'0123456789'];
  for (const name of odd) writeFileSync(join(dir, 'mixed', name), name);
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/mixed/`), Buffer.of(0xff, 0x80, 0x01)]), '');
  symlinkSync(`somewhere/${'y'.repeat(3000)}`, join(dir, 'mixed', 'link'));
  mkdirSync(join(dir, 'mixed', 'sub'));
  // More than one call of the kernel's can return.
  for (let i = 0; i < 3000; i++) writeFileSync(join(dir, 'many', `${i}-${'n'.repeat(100)}`), '');
  for (const name of ['x', 'x-', 'x--', 'x0', 'x!y', 'w']) mkdirSync(join(dir, 'dirs', name));
  const ask = () => {
    const reader = new DirectoryReader();
    t.throws(() => reader.open(Buffer.from(`${dir}/missing/`)), { code: 'ENOENT' });
    t.throws(() => reader.open(Buffer.from(`${dir}/mixed/a/`)), { code: 'ENOTDIR' });
    const content = ['mixed', 'many', 'empty', 'mixed'].map((name) => read(reader, `${dir}/${name}/`));
    return { content, dirs: directories(reader, `${dir}/dirs/`) };
  };
  t.notOk(libcLoaded(), 'the first answers are Node’s');
  const first = ask();
  t.same(first.content[0].length, odd.length + 3);
  t.same(first.dirs, ['w', 'x!y', 'x--', 'x-', 'x', 'x0']);
  t.ok(hasLibc() && canReadRaw(), 'the others are the kernel’s own');
  const second = ask();
  t.ok(JSON.stringify(second.content) === JSON.stringify(first.content), 'the content');
  t.same(second.dirs, first.dirs);

  const held = openSync(join(dir, 'mixed'), 0o10000000);
  const mixed = read(new DirectoryReader(), `/proc/self/fd/${held}/`);
  t.ok(JSON.stringify(mixed) === JSON.stringify(first.content[0]), 'a directory that is held open');
  const open = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 10; i++) read(new DirectoryReader(), `${dir}/mixed/`);
  t.equal(readdirSync('/proc/self/fd').length, open, 'nothing stays open');
  t.end();
});
