import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { wildmatch } from '../../protocol/filter/wildmatch.js';
import {
  AUTH_DIGESTS,
  authResponse,
  checkSecrets,
  chooseDigest,
  clientAuthLine,
  loadMd4,
  makeChallenge,
  matchAuthUsers,
  meetsFloor,
  parseAuthLine,
  parseAuthUsers,
  sameResponse,
  splitConfList,
} from '../../protocol/handshake/auth.js';
import {
  agreeProtocol,
  greetingLine,
  listingLine,
  parseGreeting,
  parseRequest,
  parseServerLine,
} from '../../protocol/handshake/greeting.js';
import { startDaemon as startOurs } from '../../src/daemon/server.js';
import { startDaemon as startReal } from '../lib/daemon.js';
import { hostileClient, type RawPeer } from '../lib/hostile.js';
import { RSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';

const PASSWORD = 'p\xe4ss: word';
const password = Buffer.from(PASSWORD, 'latin1');

/** Greetings of clients, and the digest that follows from each. */
const GREETINGS = [
  ...AUTH_DIGESTS.map((name) => ({ greeting: `@RSYNCD: 32.0 ${name}`, digest: name, legacy: false, protocol: 32 })),
  { greeting: '@RSYNCD: 32.0 unknown sha1 md5', digest: 'sha1', legacy: false, protocol: 32 },
  { greeting: '@RSYNCD: 31.0', digest: 'md5', legacy: false, protocol: 31 },
  { greeting: '@RSYNCD: 29.0', digest: 'md4', legacy: true, protocol: 29 },
  { greeting: '@RSYNCD: 29', digest: 'md4', legacy: true, protocol: 29 },
  { greeting: '@RSYNCD: 29.0 md4', digest: 'md4', legacy: false, protocol: 29 },
] as const;

async function logIn(peer: RawPeer, greeting: string, user: string, secret: Buffer): Promise<string> {
  peer.send(`${greeting}\nm\n`);
  t.match(await peer.line(), /^@RSYNCD: 32\.0 sha512 sha256 sha1 md5 md4$/);
  const challenge = parseServerLine(await peer.line());
  if (challenge.kind !== 'auth') return JSON.stringify(challenge);
  const theirs = parseGreeting(greeting);
  if (typeof theirs === 'string') return theirs;
  peer.send(await clientAuthLine(user, secret, theirs.digests, challenge.challenge, theirs.version));
  return peer.line();
}

t.test('every digest, with the real daemon and with ours', async (t) => {
  const dir = tempDir(t);
  const secrets = join(dir, 'secrets');
  writeFileSync(secrets, Buffer.from(`# comment\nother:x\njoe:${PASSWORD}\n`, 'latin1'), { mode: 0o600 });
  const module = { path: dir, 'auth users': 'joe', 'secrets file': secrets };
  const real = await startReal(t, RSYNC, { dir: join(dir, 'real'), modules: { m: module } });
  const ours = await startOurs(
    { global: { 'use chroot': false, 'reverse lookup': false, 'log file': join(dir, 'log') }, modules: { m: module } },
    { address: '127.0.0.1', port: 0 },
  );
  t.teardown(() => ours.close());
  for (const { greeting } of GREETINGS) {
    for (const [who, port] of [
      ['real', real.port],
      ['ours', ours.port],
    ] as const) {
      t.equal(
        await logIn(await hostileClient(t, port), greeting, 'joe', password),
        '@RSYNCD: OK',
        `${who}: ${greeting}`,
      );
      const wrong = await logIn(await hostileClient(t, port), greeting, 'joe', Buffer.from('no'));
      t.equal(wrong, '@ERROR: auth failed on module m', `${who}: ${greeting}, wrong password`);
    }
  }
});

t.test('no common digest', async (t) => {
  t.equal(chooseDigest({ digests: ['sha3', 'x'], protocol: 32 }, true), null);
  t.equal(chooseDigest({ digests: [], protocol: 32 }, false), null);
  await t.rejects(clientAuthLine('u', password, ['sha3'], 'c', 32), { message: /negotiate/ });
});

t.test('who prefers', async (t) => {
  t.equal(
    chooseDigest({ digests: ['md5', 'sha512'], protocol: 32 }, true)?.digest,
    'md5',
    'a server follows the client',
  );
  t.equal(
    chooseDigest({ digests: ['md5', 'SHA256'], protocol: 32 }, false)?.digest,
    'sha256',
    'a client its own order',
  );
  t.ok(meetsFloor('sha512', 'sha256'));
  t.ok(meetsFloor('sha256', 'SHA256'));
  t.notOk(meetsFloor('md5', 'sha256'));
  t.notOk(meetsFloor('sha512', 'nonsense'), 'an unknown floor accepts nothing');
});

t.test('responses and challenges', async (t) => {
  await loadMd4();
  t.equal(
    authResponse('md5', password, 'abc', false),
    createHash('md5').update(password).update('abc').digest('base64').replace(/=+$/, ''),
  );
  t.not(authResponse('md4', password, 'abc', true), authResponse('md4', password, 'abc', false));
  t.equal(makeChallenge('sha512', Buffer.alloc(64)).length, 86);
  t.equal(makeChallenge('md4', Buffer.alloc(64)).length, 22);
  t.ok(sameResponse('abc', 'abc'));
  t.notOk(sameResponse('abc', 'abcd'));
  t.same(parseAuthLine('joe a b'), { user: 'joe', response: 'a b' });
  t.equal(parseAuthLine('joe'), null);
});

t.test('auth users', async (t) => {
  t.same(splitConfList(' a, b  c,,d '), ['a', 'b', 'c', 'd']);
  t.same(splitConfList(' , a b , c ,,'), ['a b', 'c']);
  t.same(splitConfList(''), []);
  const rules = parseAuthUsers('joe:deny @guest:deny admin:rw @rs*:RO susan jo?:x');
  t.same(
    rules.map((r) => r.access),
    ['deny', 'deny', 'rw', 'ro', null, null],
  );
  const match = (user: string, groups: string[] = []) => matchAuthUsers(rules, user, groups, wildmatch);
  t.equal(match('joe')?.rule.access, 'deny');
  t.equal(match('admin')?.rule.access, 'rw');
  t.equal(match('admin', ['guest'])?.rule.access, 'deny', 'the first rule that fits decides');
  t.match(match('sam', ['x', 'rsync']), { rule: { access: 'ro' }, group: 'rsync' });
  t.match(match('jon'), { rule: { pattern: 'jo?' }, group: null });
  t.equal(match('sam'), null);
});

t.test('secrets', async (t) => {
  const file = Buffer.from(
    '# x:y\njoe:one\njoe:two\n@staff:team\nsue:\n@joe:trap\r\nann:pass\r\n\nlast:line',
    'latin1',
  );
  const check = (user: string, group: string | null, given: string) =>
    checkSecrets(file, user, group, (p) => Buffer.from(p).toString('latin1') === given);
  t.equal(check('joe', null, 'one'), null);
  t.equal(check('joe', null, 'two'), 'password mismatch', 'only the first line of a name counts');
  t.equal(check('bob', 'staff', 'team'), null);
  t.equal(check('joe', 'staff', 'team'), null, 'the group may let in where the user fails');
  t.equal(check('bob', null, 'team'), 'secret not found', 'a group line only counts for a group rule');
  t.equal(check('joe', null, 'trap'), 'password mismatch');
  t.equal(check('sue', null, ''), null);
  t.equal(check('ann', null, 'pass'), null);
  t.equal(check('last', null, 'line'), null);
  t.equal(check('# x', null, 'y'), 'invalid username');
  t.equal(check('jo', null, 'e:one'), 'secret not found');
  t.equal(check('', null, 'x'), 'secret not found');
});

t.test('greetings', async (t) => {
  t.same(parseGreeting('@RSYNCD: 32.0 sha512 md5'), { version: 32, sub: 0, digests: ['sha512', 'md5'] });
  t.same(parseGreeting('@RSYNCD: 29'), { version: 29, sub: 0, digests: null });
  t.equal(parseGreeting('@RSYNCD: 30'), 'no-sub-protocol');
  t.equal(parseGreeting('@RSYNCD: 32.0'), 'no-digests');
  t.equal(parseGreeting('HTTP/1.1 200 OK'), 'not-a-greeting');
  t.equal(parseGreeting('@RSYNCD: x'), 'not-a-greeting');
  const agreed = (line: string, ours = 32) => {
    const greeting = parseGreeting(line);
    return typeof greeting === 'string' ? greeting : agreeProtocol(greeting, ours);
  };
  t.equal(agreed('@RSYNCD: 31.0'), 31);
  t.equal(agreed('@RSYNCD: 31.2 md5'), 30);
  t.equal(agreed('@RSYNCD: 32.1 md5'), 31);
  t.equal(agreed('@RSYNCD: 40.0 md5'), 32);
  t.equal(agreed('@RSYNCD: 32.0 md5', 30), 30);
  t.same(parseGreeting(greetingLine().trimEnd()), { version: 32, sub: 0, digests: [...AUTH_DIGESTS] });
  t.equal(listingLine('m', 'c'), 'm              \tc\n');
  t.same(parseRequest(''), { kind: 'list' });
  t.same(parseRequest('#list'), { kind: 'list' });
  t.same(parseRequest('#early_input=12'), { kind: 'early-input', length: 12 });
  t.same(parseRequest('#early_input=5121'), { kind: 'early-input', length: 0 });
  t.same(parseRequest('#early_input=-1'), { kind: 'early-input', length: 0 });
  t.same(parseRequest('#x'), { kind: 'unknown', text: '#x' });
  t.same(parseServerLine('@ERROR: no'), { kind: 'error', text: '@ERROR: no' });
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (line) => {
      const greeting = parseGreeting(`@RSYNCD: ${line}`);
      return typeof greeting === 'string' || (greeting.version >= 0 && agreeProtocol(greeting) <= 32);
    }),
  );
});
