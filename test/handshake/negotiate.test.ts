import { existsSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Compat } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Algorithms } from '../../protocol/handshake/algorithms.js';
import {
  allowIncRecurse,
  capabilityString,
  checksumList,
  compressList,
  decideCompatFlags,
  type NegotiationInput,
  readNegotiation,
  writeNegotiation,
} from '../../protocol/handshake/negotiate.js';
import type { Options } from '../../protocol/options.js';
import { parseCommand } from '../../src/cli/options.js';
import { collector, exitCodeOf, recorded, recordingShell, SessionDecoder } from '../flist/capture.js';
import { run } from '../lib/run.js';
import { cuts } from '../lib/splits.js';
import { tempDir } from '../lib/temp.js';

const ALL = ['zstd', 'lz4', 'zlibx', 'zlib'];
const VARINT = Compat.VARINT_FLIST_FLAGS;

function options(...args: string[]): Options {
  return parseCommand([...args, 'a', 'b'], {}).options;
}

function input(isServer: boolean, o: Options, change: Partial<NegotiationInput> = {}): NegotiationInput {
  return {
    options: o,
    isServer,
    protocol: 32,
    compatFlags: VARINT,
    checksums: checksumList(undefined, isServer),
    compressions: compressList(undefined, isServer, ALL),
    trace: null,
    ...change,
  };
}

/** Lets two ends negotiate; every cut of the bytes must give the same. */
function both(client: NegotiationInput, server: NegotiationInput): [Algorithms, Algorithms] {
  const results = [client, server].map((self, i) => {
    const { writer, taken } = collector();
    writeNegotiation(writer, i === 0 ? server : client);
    const found = cuts(taken()).map(({ chunks }) => {
      const r = new ByteReader();
      for (const chunk of chunks.slice(0, -1)) {
        r.push(chunk);
        if (readNegotiation(r, self) !== null) throw new Error('too early');
      }
      for (const chunk of chunks.slice(-1)) r.push(chunk);
      return JSON.stringify(readNegotiation(r, self));
    });
    if (new Set(found).size !== 1) throw new Error(found.join());
    return JSON.parse(found[0]) as Algorithms;
  });
  return [results[0], results[1]];
}

t.test('two ends with the usual lists', async (t) => {
  const wanted = { transferSum: 'xxh128', listSum: 'xxh128', sumsExplicit: true };
  const plain = options('-r');
  for (const end of both(input(false, plain), input(true, plain))) t.same(end, { ...wanted, compression: 'none' });
  const z = options('-rz');
  for (const end of both(input(false, z), input(true, z))) t.same(end, { ...wanted, compression: 'zstd' });
  const old = both(input(false, z), input(true, z, { compressions: compressList(undefined, true, ['zlib', 'zlibx']) }));
  for (const end of old) t.equal(end.compression, 'zlibx', 'what the other end does not have is not chosen');
});

t.test('nothing is sent and defaults hold without the capability', async (t) => {
  for (const [protocol, sum] of [
    [32, 'md5'],
    [30, 'md5'],
    [29, 'md4'],
  ] as const) {
    const ends = both(
      input(false, options('-rz'), { protocol, compatFlags: 0 }),
      input(true, options('-rz'), { protocol, compatFlags: 0 }),
    );
    const wanted = { transferSum: sum, listSum: sum, sumsExplicit: false, compression: 'zlib' };
    for (const end of ends) t.same(end, wanted, `protocol ${protocol}`);
  }
});

t.test('what the user fixed is not negotiated', async (t) => {
  const o = options('-rz', '--checksum-choice=sha1,xxhash', '--compress-choice=lz4');
  const { writer, taken } = collector();
  writeNegotiation(writer, input(false, o));
  t.equal(taken().length, 0);
  for (const end of both(input(false, o), input(true, o))) {
    t.same(end, { transferSum: 'sha1', listSum: 'xxh64', sumsExplicit: true, compression: 'lz4' });
  }
  const auto = options('-r', '--checksum-choice=auto,md4');
  for (const end of both(input(false, auto), input(true, auto))) {
    t.same(end, { transferSum: 'md5', listSum: 'md4', sumsExplicit: false, compression: 'none' });
  }
  const strict = input(true, o, { checksums: checksumList('md5', true) });
  t.equal(
    exitCodeOf(() => readNegotiation(new ByteReader(), strict)),
    4,
  );
});

t.test('the environment', async (t) => {
  t.same(checksumList(undefined, false), ['xxh128', 'xxh3', 'xxh64', 'md5', 'md4', 'sha1']);
  t.same(checksumList(undefined, true).at(-1), 'none');
  t.same(checksumList('', true).length, 7);
  t.same(checksumList('md5 MD4 foo xxhash md5', false), ['xxh64', 'md5', 'md4'], 'always in the common order');
  t.same(checksumList('md5 & sha1 none', false), ['md5']);
  t.same(checksumList('md5 & sha1 none', true), ['sha1', 'none']);
  t.same(checksumList('foo bar', true), ['INVALID']);
  t.same(compressList(undefined, false, ['zlib']), ['zlib']);
  t.same(compressList('zstd zlib', true, ['zlib']), ['zlib']);
  t.same(compressList('zstd', true, ['zlib']), ['INVALID']);
});

t.test('no common name', async (t) => {
  const o = options('-r');
  const client = input(false, o, { checksums: checksumList('md5', false) });
  const server = input(true, o, { checksums: checksumList('xxh64', true) });
  try {
    both(client, server);
    t.fail('they agreed');
  } catch (error) {
    t.ok(error instanceof RsyncError && error.exitCode === 4);
    t.equal((error as Error).message, 'Failed to negotiate a checksum choice.\nServer list: xxh64\nClient list: md5');
  }
  const invalid = { checksums: ['INVALID'] };
  t.equal(
    exitCodeOf(() => both(input(false, o, invalid), input(true, o, invalid))),
    4,
    'INVALID is no name',
  );
});

t.test('a list that is too long is refused', async (t) => {
  const r = new ByteReader();
  r.push(Buffer.from([0x81, 0x00]));
  t.equal(
    exitCodeOf(() => readNegotiation(r, input(false, options('-r')))),
    2,
  );
});

t.test('incremental recursion and compat flags', async (t) => {
  const allowed = (isReceiver: boolean, ...args: string[]) => allowIncRecurse(options(...args), isReceiver);
  t.ok(allowed(true, '-r'));
  t.notOk(allowed(true, '-d'));
  t.notOk(allowed(false, '-r', '--no-i-r'));
  for (const option of ['--delete-before', '--delete-after', '--delay-updates', '-m']) {
    t.notOk(allowed(true, '-r', option), `${option} on a receiver`);
    t.ok(allowed(false, '-r', option), `${option} on a sender`);
  }
  for (const option of ['--delete', '--delete-during', '--delete-delay']) t.ok(allowed(true, '-r', option), option);
  t.equal(capabilityString(options('-r'), true), '.iLsfxCIvu');
  t.equal(capabilityString(options('-d'), true), '.LsfxCIvu');
  t.equal(capabilityString(options('-rm'), false), '.LsfxCIvu');
  const server = (clientInfo: string, ...args: string[]) => ({ ...options(...args), server: true, clientInfo });
  t.equal(decideCompatFlags(server('.iLsfxCIvu', '-r'), 32), 0x1ff);
  t.equal(decideCompatFlags(server('.LsfxCIvu', '-r'), 32), 0x1fe);
  t.equal(decideCompatFlags(server('.iLsf', '-r'), 30), 0x0f);
  t.equal(decideCompatFlags(server('', '-r'), 30), 0x06);
  t.equal(decideCompatFlags(server('.iLsfxCIvu', '-r'), 29), 0);
});

t.test('the compat flags of the real rsync', async (t) => {
  const dir = tempDir(t);
  const shell = recordingShell(dir);
  const mixes = [
    ['-r'],
    ['-d'],
    ['-r', '--delete-before'],
    ['-r', '--delete-after'],
    ['-rm'],
    ['-r', '--delay-updates'],
  ];
  for (const args of mixes) {
    for (const push of [true, false]) {
      const o = options(...args, '-n');
      const ends = push ? [`${dir}/`, 'h:/nowhere-to/'] : [`h:${dir}/`, join(dir, 'dst/')];
      for (const name of ['c2s', 's2c']) if (existsSync(join(dir, name))) unlinkSync(join(dir, name));
      await run('rsync', [...args, '-n', '-e', shell, ...ends], { timeout: 10_000 });
      const theirs = new SessionDecoder(recorded(dir).s2c).handshake(32, true, false);
      const clientInfo = capabilityString(o, push);
      const ours = decideCompatFlags({ ...o, server: true, sender: !push, clientInfo }, 32);
      t.equal(ours, theirs, `${args.join(' ')} ${push ? 'push' : 'pull'}`);
    }
  }
});

t.test('the lists that the real rsync sends are understood', async (t) => {
  const dir = tempDir(t);
  const result = await run('rsync', ['-nrz', '-e', recordingShell(dir), `${dir}/`, 'h:/nowhere-to/'], {
    timeout: 10_000,
  });
  t.equal(result.code, 0, result.stderr);
  const { c2s, s2c } = { c2s: readFileSync(join(dir, 'c2s')), s2c: recorded(dir).s2c };
  const o = options('-rz');
  for (const [isServer, bytes] of [
    [true, c2s.subarray(4)],
    [false, s2c.subarray(6)],
  ] as const) {
    const r = new ByteReader();
    r.push(bytes);
    const algorithms = readNegotiation(r, input(isServer, o));
    t.match(algorithms, { transferSum: 'xxh128', listSum: 'xxh128', compression: 'zstd' });
  }
});
