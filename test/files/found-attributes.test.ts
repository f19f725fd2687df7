import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { NO_ACL } from '../../protocol/attributes/acl.js';
import { AclName, aclBytes } from '../../protocol/attributes/acl-bytes.js';
import { XattrNames } from '../../protocol/attributes/xattr-names.js';
import { FoundAttributes } from '../../src/files/found-attributes.js';
import { Xattrs } from '../../src/files/xattrs.js';
import { addressOf, hasLibc } from '../../src/libc/libc.js';
import { listXattrs, removeXattr, setXattr } from '../../src/libc/xattrs.js';
import { memoryDir } from '../lib/temp.js';

const skip = process.getuid?.() === 0 ? false : 'only root has attributes of all namespaces';

/** Few names and lengths, so that files often have what another one had; some are as long as the room for all of them. */
const attribute = fc.record({
  name: fc.constantFrom('user.a', 'user.b', 'trusted.c', `user.${'n'.repeat(200)}`),
  length: fc.oneof(fc.constantFrom(0, 1, 5, 32, 33), fc.integer({ min: 480, max: 520 })),
  byte: fc.constantFrom('x', 'y', ' ', '7'),
});

t.test('what is found at a file is what is read from it, or nothing is said', { skip }, async (t) => {
  hasLibc();
  const dir = memoryDir(t);
  const path = join(dir, 'file');
  const bytes = Buffer.from(path);
  writeFileSync(path, '');
  const failed = () => t.fail('it cannot be read');
  const names = new XattrNames({ isSender: true, rootLevel: 1, level: 1, verdict: null });
  const xattrs = new Xattrs(names, { problem: failed, failure: failed });
  const found = new FoundAttributes(true, names);
  found.enter(Buffer.from(`${dir}/`));
  const fd = openSync(dir, 'r');
  const name = Buffer.allocUnsafeSlow(128);
  name.write('file\0', 'latin1');
  const acl = { user: 6, group: 4, mask: 6, other: 0, names: [{ id: 1, access: 6, isUser: true }] };
  let said = 0;
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 4 }), fc.boolean(), (list, hasAcl) => {
      for (const known of listXattrs(bytes)) removeXattr(bytes, known);
      for (const { name, length, byte } of list) setXattr(bytes, name, Buffer.alloc(length, byte));
      if (hasAcl) setXattr(bytes, AclName.ACCESS, aclBytes(acl));
      const got = found.look(fd, addressOf(name));
      if (got === null) return;
      said++;
      t.same(
        got.xattrs,
        xattrs.read(bytes, () => 'file', false),
      );
      t.same(got.acl, hasAcl ? acl : NO_ACL);
    }),
    { numRuns: 500 },
  );
  t.ok(said > 50);
  closeSync(fd);
});
