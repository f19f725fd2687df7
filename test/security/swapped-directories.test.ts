import {
  closeSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EntryFlag, type FileList } from '../../protocol/flist/list.js';
import { hasLibc, libcLoaded } from '../../src/libc/libc.js';
import { SourceFiles } from '../../src/sending/sources/source-files.js';
import { ourList } from '../filter/oracle.js';
import { tempDir } from '../lib/temp.js';

/*
 * Whoever may write below a source swaps a directory that was listed for a link to another place, which the one who copies
 * can read and he cannot.
 */

const OTHER = 1234;
const isRoot = process.getuid?.() === 0;

interface Attack {
  args: string[];
  /** The owner of the link: with names of the user's own, only those of others are refused. */
  owner: number;
}

const REFUSED: Attack[] = [
  { args: ['-r', 'src/'], owner: OTHER },
  { args: ['-r', 'src/'], owner: 0 },
  { args: ['-r', 'src'], owner: 0 },
  { args: ['-r', '--no-i-r', 'src/'], owner: 0 },
  { args: ['-rR', 'src/./'], owner: OTHER },
  { args: ['-rR', 'src/./sub'], owner: OTHER },
];
const FOLLOWED: Attack[] = [
  { args: ['-rL', 'src/'], owner: OTHER },
  { args: ['-r', '--copy-unsafe-links', 'src/'], owner: OTHER },
  { args: ['-rk', 'src/'], owner: OTHER },
  { args: ['-r', '--insecure-links', 'src/'], owner: OTHER },
  { args: ['-rR', 'src/./'], owner: 0 },
];

function place(t: Test): string {
  const dir = tempDir(t);
  for (const name of ['src/sub/deep', 'outside/deep']) mkdirSync(join(dir, name), { recursive: true });
  for (const name of ['file', 'deep/file']) {
    writeFileSync(join(dir, 'src/sub', name), 'in the source');
    writeFileSync(join(dir, 'outside', name), 'somewhere else');
  }
  return dir;
}

function swap(dir: string, owner: number): void {
  renameSync(join(dir, 'src/sub'), join(dir, 'src/.sub'));
  symlinkSync('../outside', join(dir, 'src/sub'));
  if (isRoot) lchownSync(join(dir, 'src/sub'), owner, 0);
}

function rowOf(list: FileList, end: string): number {
  for (let row = 0; row < list.count; row++) if (list.path(row).endsWith(end)) return row;
  throw new Error(`${end} is not in the list`);
}

/** What a sender would read after the swap, with the directories that it has open or without; null: nothing. */
function readAfter(t: Test, { args, owner }: Attack, name: string, areOpen: boolean): string | null {
  const dir = place(t);
  const { list, scanner } = ourList({ cwd: dir, args });
  t.teardown(() => scanner.close());
  swap(dir, owner);
  if (!areOpen) scanner.close();
  const files = new SourceFiles(list, scanner);
  const row = rowOf(list, name);
  try {
    const fd = files.open(row);
    const content = readFileSync(fd, 'latin1');
    closeSync(fd);
    return content;
  } catch {
    t.notOk(existsSync(scanner.sourcePath(row)), 'and there is nothing to be removed');
    return null;
  } finally {
    files.close();
  }
}

for (const way of ['without the C library', 'with it']) {
  t.test(`a directory that is swapped after it was listed, ${way}`, { skip: !isRoot }, async (t) => {
    if (way === 'with it') t.equal(hasLibc(), libcLoaded());
    for (const name of ['sub/file', 'sub/deep/file']) {
      for (const attack of REFUSED) {
        const title = `${attack.args.join(' ')}: ${name}`;
        t.equal(readAfter(t, attack, name, false), null, title);
        t.equal(readAfter(t, attack, name, true), 'in the source', title);
      }
      for (const attack of FOLLOWED) {
        t.equal(readAfter(t, attack, name, false), 'somewhere else', `${attack.args.join(' ')}: ${name}`);
      }
    }
  });
}

t.test('a directory that is swapped before its content is listed', { skip: !isRoot }, async (t) => {
  for (const [attacks, found] of [
    [REFUSED, 0],
    [FOLLOWED, 2],
  ] as const) {
    for (const { args, owner } of attacks) {
      if (args[1] !== 'src/') continue;
      const dir = place(t);
      const { list, scanner, messages } = ourList({ cwd: dir, args: [`-d${args[0].slice(2)}`, ...args.slice(1)] });
      t.teardown(() => scanner.close());
      swap(dir, owner);
      const row = rowOf(list, 'sub');
      list.addFlags(row, EntryFlag.CONTENT_DIR);
      const before = list.count;
      scanner.scanDirectory(row);
      t.equal(list.count - before, found, `${args.join(' ')}: ${messages.join('')}`);
      t.equal(messages.length > 0, found === 0);
    }
  }
});

t.test('more places than trees stay open', async (t) => {
  const dir = tempDir(t);
  const names = Array.from({ length: 12 }, (_, i) => `d${i}`);
  for (const name of names) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, `f-${name}`), name);
  }
  const { list, scanner } = ourList({ cwd: dir, args: ['-r', ...names.map((name) => `${name}/`)] });
  t.teardown(() => scanner.close());
  const files = new SourceFiles(list, scanner);
  t.teardown(() => files.close());
  for (const round of [1, 2]) {
    for (const name of names) {
      const fd = files.open(rowOf(list, `f-${name}`));
      t.equal(readFileSync(fd, 'latin1'), name, `round ${round}`);
      closeSync(fd);
    }
  }
});
