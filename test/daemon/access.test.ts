import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { hostAllowed, isTrustedProxy } from '../../src/daemon/clients/access.js';
import { matchAddress, parseAddress, plainAddress } from '../../src/daemon/clients/address.js';
import { UNKNOWN } from '../../src/daemon/clients/names.js';
import { parseProxyBody, parseProxyLine } from '../../src/daemon/clients/proxy.js';
import { defaultModule } from '../../src/daemon/config/params.js';
import { tempDir } from '../lib/temp.js';
import { askRealDaemon } from './stdio-oracle.js';

const CASES: { allow?: string; deny?: string }[] = [
  {},
  { allow: '10.1.2.3' },
  { allow: '10.1.2.0/24' },
  { allow: '10.0.0.0/255.0.0.0' },
  { allow: '10.1.2.0/25, 192.168.0.0/16' },
  { allow: '10.1.2.3/0' },
  { allow: '10.1.2.3/33' },
  { allow: '10.1.2.3/x' },
  { allow: '::/0' },
  { allow: 'fe80::/10 2001:db8::/ffff:ffff::' },
  { allow: '2001:db8::1' },
  { allow: '2001:DB8:0:0::1/128' },
  { deny: '*' },
  { deny: '10.1.2.3' },
  { deny: '10.0.0.0/8' },
  { allow: '10.1.2.3', deny: '*' },
  { allow: '192.168.1.1', deny: '10.0.0.0/8' },
  { allow: '*.example.com', deny: '*' },
  { allow: 'unknown' },
  { allow: 'UNK*' },
  { deny: 'unkn?wn' },
  { allow: '1.2.3.4.5' },
  { allow: '10.1.2' },
  { allow: ',10.1.2.3,' },
];
const ADDRESSES = ['10.1.2.3', '10.1.2.130', '192.168.7.7', '2001:db8::1', 'fe80::5'];

t.test('verdicts are those of the real daemon', async (t) => {
  const dir = tempDir(t);
  let conf = `log file = ${dir}/log\nuse chroot = no\nreverse lookup = no\nforward lookup = no\n`;
  CASES.forEach(({ allow, deny }, i) => {
    conf += `[m${i}]\npath = ${dir}\n`;
    if (allow !== undefined) conf += `hosts allow = ${allow}\n`;
    if (deny !== undefined) conf += `hosts deny = ${deny}\n`;
  });
  const file = join(dir, 'conf');
  writeFileSync(file, conf);
  for (const [i, { allow = '', deny = '' }] of CASES.entries()) {
    for (const address of ADDRESSES.slice(0, i % 2 === 0 ? 5 : 3)) {
      const config = { ...defaultModule(), hostsAllow: allow, hostsDeny: deny, forwardLookup: false };
      const ours = await hostAllowed(config, { address, name: 'UNDETERMINED' }, () => {});
      const theirs = !askRealDaemon(file, [`m${i}`], address).includes('access denied');
      t.equal(ours, theirs, `allow "${allow}" deny "${deny}" from ${address}`);
    }
  }
});

t.test('names', async (t) => {
  const verdict = (allow: string, deny: string, name: string, forward = false) =>
    hostAllowed(
      { ...defaultModule(), hostsAllow: allow, hostsDeny: deny, forwardLookup: forward },
      { address: '127.0.0.1', name },
      () => {},
    );
  t.equal(await verdict('*.Example.com', '', 'www.example.COM'), true);
  t.equal(await verdict('*.example.com', '', 'example.com'), false);
  t.equal(await verdict('', 'www[12].example.com', 'www2.example.com'), false);
  t.equal(await verdict('localhost', '', UNKNOWN, true), true, 'a forward lookup finds the address');
  t.equal(await verdict('localhost', '', UNKNOWN, false), false);
  t.equal(await verdict('', 'no-such-host.invalid', UNKNOWN, true), false, 'an unknown name to deny denies');
  t.equal(await verdict('no-such-host.invalid', '', UNKNOWN, true), false);
  t.equal(await verdict('@netgroup', '', 'www.example.com'), false);
});

t.test('addresses', async (t) => {
  t.equal(plainAddress('::ffff:10.0.0.1'), '10.0.0.1');
  t.equal(plainAddress('::1'), '::1');
  t.same([...(parseAddress('::ffff:1.2.3.4')?.bytes ?? [])], [...Array(10).fill(0), 255, 255, 1, 2, 3, 4]);
  t.equal(parseAddress('1.2.3'), null);
  t.equal(matchAddress(parseAddress('fe80::1%eth0')!, 'fe80::1%eth0'), 'match');
  t.equal(matchAddress(parseAddress('fe80::1%eth1')!, 'fe80::1%eth0'), 'no-match');
  t.equal(matchAddress(parseAddress('fe80::1%eth1')!, 'fe80::/64'), 'match');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 32 }), fc.nat(0xffffffff), fc.nat(0xffffffff), (bits, a, b) => {
      const dotted = (n: number) => [24, 16, 8, 0].map((s) => (n >>> s) & 255).join('.');
      const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
      const same = ((a ^ b) & mask) === 0;
      const address = parseAddress(dotted(a))!;
      return (
        (matchAddress(address, `${dotted(b)}/${bits}`) === 'match') === same &&
        (matchAddress(address, `${dotted(b)}/${dotted(mask)}`) === 'match') === same
      );
    }),
  );
});

t.test('proxy headers', async (t) => {
  t.same(parseProxyLine('PROXY TCP4 10.0.0.1 10.0.0.2 1234 873\r\n'), { address: '10.0.0.1' });
  t.same(parseProxyLine('PROXY TCP6 2001:db8::1 ::1 1234 873\r\n'), { address: '2001:db8::1' });
  t.same(parseProxyLine('PROXY UNKNOWN whatever\r\n'), { address: null });
  for (const bad of [
    'PROXY TCP4 10.0.0.1 10.0.0.2 1234 873\n',
    'PROXY TCP4 ::1 10.0.0.2 1 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 0 2\r\n',
    'PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n',
    'PROXY TCP5 10.0.0.1 10.0.0.2 1 2\r\n',
  ]) {
    t.equal(parseProxyLine(bad), null, JSON.stringify(bad));
  }
  const v4 = Buffer.from([10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 3, 105]);
  t.same(parseProxyBody(1, 0x11, v4), { address: '10.0.0.1' });
  t.same(parseProxyBody(0, 0x11, v4), { address: null });
  t.equal(parseProxyBody(1, 0x11, v4.subarray(1)), null);
  t.equal(parseProxyBody(2, 0x11, v4), null);
  const v6 = Buffer.alloc(36);
  v6[15] = 1;
  t.equal(parseAddress(parseProxyBody(1, 0x21, v6)?.address ?? '')?.bytes[15], 1);
  const peer = { address: '127.0.0.1', name: 'UNDETERMINED' };
  t.equal(await isTrustedProxy('', peer, () => {}), false, 'no list trusts nobody');
  t.equal(await isTrustedProxy('127.0.0.0/8', peer, () => {}), true);
});
