import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { aclPermissions, NewRights } from '../../src/files/default-acl.js';
import { Root } from '../../src/files/root.js';
import { setXattr } from '../../src/libc/xattrs.js';

const NO_ID = 0xffff_ffff;

/** An ACL as Linux keeps it: version, then tag, permissions and id of each entry. */
function acl(version: number, ...entries: readonly (readonly [tag: number, rights: number])[]): Buffer {
  const out = Buffer.alloc(4 + 8 * entries.length);
  out.writeUInt32LE(version, 0);
  for (const [number, [tag, rights]] of entries.entries()) {
    out.writeUInt16LE(tag, 4 + 8 * number);
    out.writeUInt16LE(rights, 6 + 8 * number);
    out.writeUInt32LE(NO_ID, 8 + 8 * number);
  }
  return out;
}

t.test('permissions of an access control list', async (t) => {
  t.equal(aclPermissions(acl(2, [1, 7], [4, 5], [0x20, 4])), 0o754, 'owner, group, others');
  t.equal(aclPermissions(acl(2, [1, 6], [4, 7], [0x10, 4], [0x20, 0])), 0o640, 'the mask stands for the group');
  t.equal(aclPermissions(acl(2, [1, 0xffff], [4, 0xffff], [0x20, 0xffff])), 0o777, 'no bits beyond rwx');
  t.equal(aclPermissions(acl(3, [1, 7])), null, 'another version');
  t.equal(aclPermissions(acl(2)), null, 'no entries');
  t.equal(aclPermissions(Buffer.of(2, 0)), null, 'cut off');
  t.equal(aclPermissions(acl(2, [1, 7], [4, 5], [0x20, 4]).subarray(0, 21)), 0o750, 'half an entry counts for nothing');
});

t.test('new entries of a directory', async (t) => {
  const dir = t.testdir({ plain: {}, listed: {} });
  for (const name of ['', 'plain', 'listed']) chmodSync(join(dir, name), 0o755);
  setXattr(Buffer.from(join(dir, 'listed')), 'system.posix_acl_default', acl(2, [1, 7], [4, 5], [0x20, 0]));
  for (const root of [Root.plain(dir), Root.confined(dir)]) {
    const faults: string[] = [];
    const onFault = (path: string, errno: number) => faults.push(`${path} ${errno}`);
    const rights = new NewRights(root, 0o027, onFault);
    t.equal(rights.of(''), 0o750, 'what the umask leaves');
    t.equal(rights.of('listed'), 0o750);
    t.equal(new NewRights(root, 0, onFault).of('listed'), 0o750, 'the umask says nothing where there is a list');
    t.equal(rights.of('plain'), 0o750);
    t.equal(rights.of('missing'), 0o750, 'a dry run has not made it');
    mkdirSync(join(dir, 'listed', 'below'), { recursive: true });
    t.equal(new NewRights(root, 0, onFault).of('listed/below'), 0o750, 'a directory made below inherits the list');
    writeFileSync(join(dir, 'file'), '');
    t.equal(rights.of('file'), 0o750, 'no directory');
    t.same(faults, ['missing 2', 'file 13']);
    root.close();
  }
});
