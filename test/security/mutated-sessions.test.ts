/**
 * Recorded sessions of the real rsync with random damage, against our client and our daemon: every run ends in time,
 * in a way that is meant to be, and the daemon goes on serving. The seed of a run that fails is in the message;
 * FUZZ_RUNS and FUZZ_SEED ask for more or for other ones.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { hostileServer } from '../lib/hostile.js';
import { PROJECT, RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { makeRecordedTrees } from '../lib/record.js';
import { readRecording } from '../lib/recordings.js';
import { type RunResult, runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { within } from '../lib/wait.js';

const RUNS = Number(process.env.FUZZ_RUNS ?? 24);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const PATIENCE = 60_000;
t.setTimeout(120_000);
/** What no run may ever show. */
const CRASH = /internal error|TypeError|RangeError|ReferenceError|AssertionError|\n {4}at |FATAL|heap/;

function recorded(name: string, side: 'c2s' | 's2c'): Buffer {
  return readFileSync(join(PROJECT, 'fixtures', 'wire', `${name}.${side}.bin`));
}

/** Changes, drops, repeats or inserts bytes in one to four places behind `from`. */
function damage(bytes: Buffer, from: number, random: Random): Buffer {
  let out = Buffer.from(bytes);
  for (let n = 1 + random.int(4); n > 0; n--) {
    const at = from + random.int(Math.max(1, out.length - from));
    const length = 1 + random.int(8);
    const before = out.subarray(0, at);
    const kind = random.int(5);
    if (kind === 0) out = Buffer.concat([before, out.subarray(at + length)]);
    else if (kind === 1) out = Buffer.concat([before, random.bytes(length), out.subarray(at)]);
    else if (kind === 2) out = Buffer.concat([before, out.subarray(at, at + length), out.subarray(at)]);
    else if (kind === 3) out[Math.min(at, out.length - 1)] ^= 1 << random.int(8);
    else random.bytes(length).copy(out, Math.min(at, Math.max(0, out.length - length)));
  }
  return out;
}

/** Where the text part of a recording ends: behind the line that says OK, or behind the client's arguments. */
function textEnd(bytes: Buffer, mark: string): number {
  const at = bytes.indexOf(mark, 0, 'latin1');
  return at < 0 ? 0 : at + mark.length;
}

/** A server that says what it is given, and a client of ours that has to come to an end with it. */
async function damagedServer(t: Test) {
  let answer: Buffer = Buffer.alloc(0);
  const port = await hostileServer(t, async (peer) => {
    await peer.bytes(20);
    peer.send(answer);
    peer.socket.end();
    await peer.rest();
  });
  const endsWell = async (what: string, body: Buffer, args: string[]): Promise<void> => {
    answer = body;
    const result: RunResult = await runProgram(TSRSYNC, args, { timeout: PATIENCE });
    if (result.timedOut || result.code === null || CRASH.test(result.stderr)) {
      t.fail(`${what}: code ${result.code} ${result.stderr.slice(-700)}`);
    }
  };
  return { port, endsWell };
}

const PULLS = [
  { name: 'pull-new', args: ['-a'] },
  { name: 'pull-new-p30', args: ['-a', '--protocol=30'] },
  { name: 'pull-hard-links', args: ['-aH'] },
  { name: 'pull-lz4', args: ['-a', '--zc=lz4'] },
];

t.test('a damaged server ends our client in a known way', async (t) => {
  const dir = tempDir(t);
  const server = await damagedServer(t);
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(SEED * 7919 + run);
    const { name, args } = PULLS[run % PULLS.length];
    const whole = recorded(name, 's2c');
    const body = damage(whole, textEnd(whole, '@RSYNCD: OK\n'), random);
    const target = join(dir, `o${run}`);
    mkdirSync(target);
    const all = [...args, '--timeout=3', `rsync://127.0.0.1:${server.port}/src/`, `${target}/`];
    await server.endsWell(`${name}, run ${run} of seed ${SEED}`, body, all);
  }
  t.pass(`${RUNS} runs`);
});

const PUSHES = ['push-new', 'push-delta', 'push-new-p30', 'push-zlib', 'push-hard-links', 'push-delta-md5'];

t.test('a damaged server ends our client in a known way when it sends', async (t) => {
  const sources = new Map<string, string>();
  for (const name of PUSHES) {
    const dir = tempDir(t);
    makeRecordedTrees(dir, readRecording(name));
    sources.set(name, join(dir, 'src'));
  }
  const server = await damagedServer(t);
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(SEED * 15_485_863 + run);
    const name = PUSHES[run % PUSHES.length];
    const { args, s2c } = readRecording(name);
    const body = damage(s2c, textEnd(s2c, '@RSYNCD: OK\n'), random);
    const all = [...args, '--timeout=2', `${sources.get(name)}/`, `rsync://127.0.0.1:${server.port}/dst/`];
    await server.endsWell(`${name}, run ${run} of seed ${SEED}`, body, all);
  }
  t.pass(`${RUNS} runs`);
});

const TALKS = ['push-new', 'push-new-p30', 'push-zlib', 'push-delete', 'push-hard-links', 'pull-delta', 'pull-new-p29'];

/** Sends bytes and waits until the daemon has closed the connection. */
function talk(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const over = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
  });
  socket.on('end', () => socket.destroy());
  socket.resume();
  socket.end(bytes);
  return within(over, PATIENCE, 'the daemon to end a connection').finally(() => socket.destroy());
}

t.test('a damaged client does a daemon no harm', async (t) => {
  const dir = tempDir(t);
  for (const sub of ['src', 'dst']) mkdirSync(join(dir, sub));
  const daemon = await startDaemon(t, TSRSYNC, {
    dir: join(dir, 'daemon'),
    globals: { 'use chroot': 'no', timeout: 5 },
    modules: { src: { path: join(dir, 'src') }, dst: { path: join(dir, 'dst'), 'read only': 'no' } },
  });
  for (let run = 0; run < RUNS * 4; run++) {
    const random = new Random(SEED * 104729 + run);
    const name = TALKS[run % TALKS.length];
    const whole = recorded(name, 'c2s');
    // In one run of four the text part is damaged, too.
    const from = run % 4 === 0 ? 0 : textEnd(whole, '/\0\0');
    try {
      await talk(daemon.port, damage(whole, from, random));
    } catch (error) {
      t.fail(`${name}, run ${run} of seed ${SEED}: ${String(error)}`);
    }
  }
  t.notMatch(daemon.log() + daemon.errors(), CRASH);
  const listing = await runProgram(RSYNC, [daemon.url('src/')]);
  t.equal(listing.code, 0, `it still serves: ${listing.stderr}`);
});
