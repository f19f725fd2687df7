import fc from 'fast-check';
import t from 'tap';
import { S_IFREG } from '../../protocol/constants.js';
import { FileList } from '../../protocol/flist/list.js';
import { ListKernel } from '../../protocol/kernel/list-kernel.js';
import type { Options } from '../../protocol/options.js';
import { IdMap } from '../../src/files/ids.js';
import { FileStat, fromStatx } from '../../src/files/stat.js';
import { RightFile } from '../../src/receiving/right-files/right-file.js';
import { addEntry } from '../flist/make-list.js';

/** What a file is about to be, or is: few values, so that two of them often agree. */
const state = fc.record({
  mode: fc.constantFrom(0o644, 0o640, 0o4644),
  size: fc.constantFrom(0, 7),
  mtime: fc.constantFrom(1000, 1001, 1005),
  nsec: fc.constantFrom(0, 5),
  uid: fc.constantFrom(0, 3),
  gid: fc.constantFrom(0, 4),
});
type State = typeof state extends fc.Arbitrary<infer T> ? T : never;

const settings = fc.record({
  perms: fc.boolean(),
  times: fc.boolean(),
  owner: fc.boolean(),
  group: fc.boolean(),
  checksum: fc.boolean(),
  sizeOnly: fc.boolean(),
  modifyWindow: fc.constantFrom(-1, 0, 2),
});
type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never;

/** The rule once more, in words of the options; the sum of -c is asked elsewhere. */
function isRight(o: Settings, wanted: State, found: State): boolean {
  if (wanted.size !== found.size) return false;
  if (o.perms && wanted.mode !== found.mode) return false;
  if (o.owner && wanted.uid !== found.uid) return false;
  if (o.group && wanted.gid !== found.gid) return false;
  const countsTime = o.times || !(o.checksum || o.sizeOnly);
  if (!countsTime) return true;
  if (Math.abs(wanted.mtime - found.mtime) > Math.max(o.modifyWindow, 0)) return false;
  return wanted.nsec === found.nsec || !(o.modifyWindow < 0 || o.checksum);
}

function statOf(words: Uint32Array, { mode, size, mtime, nsec, uid, gid }: State): FileStat {
  const stat = new FileStat();
  words.fill(0);
  words[5] = uid;
  words[6] = gid;
  words[7] = S_IFREG | mode;
  words[10] = size;
  words[28] = mtime;
  words[30] = nsec;
  fromStatx(0, stat, words);
  return stat;
}

t.test('one file and a run of files are right for the same reasons', async (t) => {
  const kernel = new ListKernel();
  const check = fc.property(settings, state, state, (options, wanted, found) => {
    const list = new FileList();
    const row = addEntry(list, { path: 'file', mode: S_IFREG | wanted.mode });
    list.setSize(row, wanted.size);
    list.setMtime(row, wanted.mtime);
    list.setNsec(row, wanted.nsec);
    list.setUid(row, wanted.uid);
    list.setGid(row, wanted.gid);
    const o = { ...options, numericIds: true, usermap: '', groupmap: '' } as Settings & Options;
    const right = new RightFile(
      list,
      o,
      new IdMap(o, true, { users: new Map(), groups: new Map(), id0Names: true }),
      o.owner,
    );
    const stat = statOf(kernel.statx, found);
    const expected = isRight(options, wanted, found);
    if (right.is(row, stat) !== expected) return false;
    // The kernel knows no window.
    if (options.modifyWindow > 0) return true;
    kernel.modes[0] = S_IFREG | wanted.mode;
    kernel.sizes[0] = wanted.size;
    kernel.mtimes[0] = wanted.mtime;
    kernel.nsecs[0] = wanted.nsec;
    const { modes, asksTime } = right;
    return (kernel.wasm.isRight(0, modes, asksTime, right.uid(row), right.gid(row)) !== 0) === expected;
  });
  t.doesNotThrow(() => fc.assert(check, { numRuns: 3000 }));
});
