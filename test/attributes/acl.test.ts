import fc from 'fast-check';
import t from 'tap';
import {
  type Acl,
  AclTable,
  aclOfMode,
  byId,
  condense,
  expand,
  hasAcl,
  NO_ACL,
  NO_ENTRY,
} from '../../protocol/attributes/acl.js';
import { aclBytes, fakeAclBytes, parseAcl, parseFakeAcl } from '../../protocol/attributes/acl-bytes.js';
import { AclDecoder, AclEncoder } from '../../protocol/attributes/acl-wire.js';
import { KeptBytes } from '../../protocol/attributes/xattr-wire.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { writeVarint } from '../../protocol/bytes/varint.js';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { RsyncError } from '../../protocol/errors.js';
import { SentIds } from '../../protocol/flist/sent-ids.js';
import { collector, plainWire } from '../flist/capture.js';
import { cuts } from '../lib/splits.js';

const rights = fc.integer({ min: 0, max: 7 });
const names = fc
  .uniqueArray(fc.record({ id: fc.integer({ min: 0, max: 5 }), access: rights, isUser: fc.boolean() }), {
    maxLength: 5,
    selector: ({ id, isUser }) => `${isUser} ${id}`,
  })
  .map((entries) => entries.sort(byId));

/** A list as Linux has them, and the mode that goes with it: with names there is a mask, which the mode shows. */
const files = fc
  .record({ user: rights, group: rights, mask: rights, other: rights, names, isMasked: fc.boolean() })
  .map(({ user, group, mask, other, names: entries, isMasked }) => {
    const acl: Acl = { user, group, mask: isMasked || entries.length > 0 ? mask : NO_ENTRY, other, names: entries };
    const middle = acl.mask === NO_ENTRY ? group : mask;
    return { acl, mode: 0o100000 | (user << 6) | (middle << 3) | other };
  });

const NAMES = { userName: (id: number) => `u${id}`, groupName: (id: number) => `g${id}` };

function encode(acls: readonly Acl[], incremental: boolean): Buffer {
  const table = new AclTable();
  const out = collector();
  const ids = new SentIds(plainWire(32, { incremental, acls: true }), NAMES);
  const encoder = new AclEncoder(table, incremental);
  for (const acl of acls) encoder.write(out.writer, table.intern(acl), ids);
  return out.taken();
}

function decode(chunks: readonly Buffer[], modes: readonly number[], isDefault = false, maxAccess = 7) {
  const table = new AclTable();
  const decoder = new AclDecoder(table, isDefault, maxAccess, new KeptBytes());
  const reader = new ByteReader();
  const ids = { users: new Map<number, string>(), groups: new Map<number, string>() };
  const acls: Acl[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    while (acls.length < modes.length) {
      const number = decoder.read(reader, modes[acls.length], ids);
      if (number < 0) break;
      acls.push(table.at(number));
    }
  }
  return { acls, ids };
}

t.test('a file that gets a list from the wire has that of the source', (test) => {
  fc.assert(
    fc.property(fc.array(files, { minLength: 1, maxLength: 6 }), fc.boolean(), (given, incremental) => {
      const bytes = encode(
        given.map(({ acl, mode }) => condense(acl, mode)),
        incremental,
      );
      const modes = given.map(({ mode }) => mode);
      for (const cut of cuts(bytes, [3])) {
        const { acls, ids } = decode(cut.chunks, modes);
        for (const [i, { acl, mode }] of given.entries()) {
          test.same(expand(acls[i], mode), acl, cut.name);
          test.ok(hasAcl(acl, acls[i], mode), 'and is found to have it');
          const named = acl.names.every(
            ({ id, isUser }) => (isUser ? ids.users : ids.groups).get(id) === `${isUser ? 'u' : 'g'}${id}`,
          );
          test.ok(named || !incremental, 'names came along');
        }
      }
    }),
    { numRuns: 60 },
  );
  test.end();
});

t.test('lists survive in attributes', (test) => {
  fc.assert(
    fc.property(files, ({ acl, mode }) => {
      test.same(parseAcl(aclBytes(acl)), acl);
      test.same(parseFakeAcl(fakeAclBytes(acl), mode), acl);
    }),
    { numRuns: 60 },
  );
  test.equal(parseAcl(Buffer.of(3, 0, 0, 0)), null, 'another version');
  test.equal(parseFakeAcl(Buffer.alloc(20), 0), null, 'cut off');
  test.end();
});

t.test('only what the mode does not say travels', (test) => {
  // setfacl -m u:33:r,g:1000:rx,m:rwx on a file of mode 0674 (12.2)
  const acl: Acl = {
    user: 6,
    group: 4,
    mask: 7,
    other: 4,
    names: [
      { id: 33, access: 4, isUser: true },
      { id: 1000, access: 5, isUser: false },
    ],
  };
  const bytes = encode([condense(acl, 0o100674), condense(aclOfMode(0o644), 0o100644), condense(acl, 0o100674)], false);
  test.same(bytes, Buffer.from([0, 0x12, 4, 2, 33, 0x12, 0x83, 0xe8, 0x14, 0, 0, 1]));
  test.end();
});

t.test('a list for new entries gets the mask that its names need', (test) => {
  const acl: Acl = { ...NO_ACL, user: 7, group: 1, other: 0, names: [{ id: 5, access: 4, isUser: true }] };
  const { acls } = decode([encode([acl], false)], [0], true);
  test.equal(acls[0].mask, 5);
  test.end();
});

/** What a hostile peer might say, and the exit code of the run. */
const HOSTILE: readonly (readonly [string, number, readonly number[]])[] = [
  ['a list that is not known', 12, [1]],
  ['a negative list', 12, [-1]],
  ['permissions beyond rwx', 12, [0, 1, 8]],
  ['negative permissions', 12, [0, 4, -1]],
  ['too many names', 2, [0, 16, 65537]],
  ['a negative number of names', 2, [0, 16, -1]],
  ['permissions of a name beyond rwx', 12, [0, 16, 1, 33, 8 << 2]],
  ['all bits in the permissions of a name', 12, [0, 16, 1, 33, -1]],
];

function written(numbers: readonly number[]): Buffer {
  const out = collector();
  const write = (w: ByteWriter) => {
    for (const number of numbers) writeVarint(w, number);
  };
  write(out.writer);
  return out.taken();
}

t.test('numbers that cannot be end the run', (test) => {
  for (const [what, exitCode, numbers] of HOSTILE) {
    try {
      decode([written(numbers)], [0]);
      test.fail(`${what} was accepted`);
    } catch (error) {
      test.ok(error instanceof RsyncError, what);
      test.equal((error as RsyncError).exitCode, exitCode, what);
    }
  }
  const { acls } = decode([written([0, 16, 1, 33, (0x1234 << 2) | 2])], [0], false, 0x1fff_ffff);
  test.same(acls[0].names, [{ id: 33, access: 0x1234, isUser: true }], 'what is only stored may have more');
  test.end();
});
