import t from 'tap';
import { S_IFDIR, S_IFREG } from '../../protocol/constants.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import { hasLibc } from '../../src/libc/libc.js';
import { ThreadWorth } from '../../src/receiving/new-files/thread-worth.js';
import { addEntry } from '../flist/make-list.js';

const DIRS = 40;

/** Lists of `DIRS` directories with `files` plain ones each. */
function listOf(files: number, flags: number): FileList {
  const list = new FileList();
  for (let i = 0; i < DIRS; i++) addEntry(list, { path: `d${i}`, mode: S_IFDIR | 0o755, flags });
  list.addSegment(-1, true);
  for (let parent = 0; parent < DIRS; parent++) {
    for (let i = 0; i < files; i++) addEntry(list, { path: `d${parent}/f${i}`, mode: S_IFREG | 0o644 });
    list.addSegment(parent, true).isPlain = true;
  }
  return list;
}

/** After how many new directories a thread is worth it, with the lists of all of them there; 0: after none. */
function madeBefore(files: number, flags: number): number {
  const worth = new ThreadWorth(listOf(files, flags));
  for (let made = 1; made <= DIRS; made++) if (worth.afterMaking()) return made;
  return 0;
}

t.test('a thread is worth its start once new directories have many files, before these are asked for', async (t) => {
  t.ok(hasLibc(), 'the C library can be reached');
  t.equal(madeBefore(100, EntryFlag.DIR_CREATED), 32);
  t.equal(madeBefore(20, EntryFlag.DIR_CREATED), 0, 'few files');
  t.equal(madeBefore(100, 0), 0, 'directories that were there');
});

/** After how many lists of `files` each a thread is worth it; 0: never. `flags` are those of their directories. */
function listedBefore(files: number, flags: number): number {
  const list = listOf(files, flags);
  const worth = new ThreadWorth(list);
  let lists = 0;
  for (const segment of list.segments) {
    if (segment.parentRow < 0) continue;
    lists++;
    if (worth.afterListing(segment)) return lists;
  }
  return 0;
}

t.test('the same as their lists come', async (t) => {
  t.equal(listedBefore(100, EntryFlag.DIR_CREATED), 9);
  t.equal(listedBefore(20, EntryFlag.DIR_CREATED), 0, 'few files');
  t.equal(listedBefore(100, 0), 0, 'directories that were there');
});
