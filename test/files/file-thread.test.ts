import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WorkPlace } from '../../protocol/kernel/work-kernel.js';
import { FileThread } from '../../src/files/thread/file-thread.js';
import {
  Field,
  HEAD_BYTES,
  type JobSource,
  jobBytes,
  Kind,
  MOST_JOBS,
  OWN_JOB,
  Step,
} from '../../src/files/thread/queue.js';
import { hasLibc } from '../../src/libc/libc.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const ENOENT = 2;
const EISDIR = 21;

interface File {
  name: string;
  content?: string;
  /** Descriptor of a file whose first `size` bytes are the content; `isListed`: all of it is, and `size` may be wrong. */
  from?: { fd: number; size: number; isListed?: boolean };
}

async function startThread(t: Test): Promise<FileThread> {
  t.ok(hasLibc(), 'the C library can be reached');
  const thread = new FileThread(() => {});
  thread.start();
  t.teardown(() => thread.stop());
  await waitFor(() => thread.isReady, 30_000, 'the thread to be ready');
  return thread;
}

/** Gives a job in the directory `dir`; false when there is no room. */
function give({ jobs }: FileThread, dir: number, file: File): boolean {
  const at = jobs.reserve(jobLength(file));
  if (at < 0) return false;
  fill(jobs, at, dir, file);
  jobs.commit(jobLength(file), 1);
  return true;
}

function jobLength({ name, content = '' }: File): number {
  return jobBytes(name.length) + ((content.length + 7) & ~7);
}

function fill({ words, bytes }: JobSource, at: number, dir: number, file: File): void {
  const { name, content = '', from } = file;
  const data = at + jobBytes(name.length);
  const set = (field: number, value: number): void => {
    words[at / 4 + field] = value;
  };
  set(Field.LENGTH, jobLength(file));
  set(Field.KIND, from ? Kind.COPY : Kind.WRITE);
  set(Field.DIR, dir);
  set(Field.FD, from?.fd ?? -1);
  set(Field.MODE, 0o100640);
  set(Field.UID, -1);
  set(Field.GID, -1);
  set(Field.HAS_TIME, 1);
  set(Field.NO_FURTHER, 0);
  set(Field.SECONDS, 1_000_000_000);
  set(Field.SECONDS + 1, 0);
  set(Field.NSEC, 5_000_000);
  set(Field.IS_LISTED, from?.isListed ? 1 : 0);
  set(Field.NAME, name.length);
  set(Field.SIZE, from?.size ?? content.length);
  bytes.write(`${name}\0`, at + HEAD_BYTES, 'latin1');
  set(Field.DATA, data);
  bytes.write(content, data, 'latin1');
}

/** The results of all jobs under way: [attributes, landing]. */
function results({ jobs }: FileThread): [number, number][] {
  jobs.waitForAll(30_000);
  const all: [number, number][] = [];
  for (; jobs.hasResult; jobs.take(1)) all.push([jobs.attributes, jobs.landing]);
  return all;
}

t.test('files are written and copied, with mode and time', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  const fd = openSync(dir, 'r');
  writeFileSync(join(dir, 'source'), 'x'.repeat(200_000));
  writeFileSync(join(dir, 'new'), 'what is replaced');
  give(thread, fd, { name: 'new', content: 'content' });
  give(thread, fd, { name: 'empty' });
  give(thread, fd, { name: 'copy', from: { fd: openSync(join(dir, 'source'), 'r'), size: 150_000 } });
  t.same(results(thread), [
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  t.equal(readFileSync(join(dir, 'new'), 'latin1'), 'content');
  t.equal(statSync(join(dir, 'empty')).size, 0);
  t.equal(readFileSync(join(dir, 'copy'), 'latin1'), 'x'.repeat(150_000));
  t.equal(statSync(join(dir, 'copy')).mode & 0o7777, 0o640);
  t.equal(statSync(join(dir, 'new')).mtimeMs, 1_000_000_000_005);
  t.same(readdirSync(dir).sort(), ['copy', 'empty', 'new', 'source']);
});

t.test('what fails is told, and nothing is left of it', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  mkdirSync(join(dir, 'full/in'), { recursive: true });
  writeFileSync(join(dir, 'short'), 'abc');
  const fd = openSync(dir, 'r');
  give(thread, fd, { name: 'full', content: 'x' });
  give(thread, fd, { name: 'short-copy', from: { fd: openSync(join(dir, 'short'), 'r'), size: 4 } });
  give(thread, fd, { name: 'unreadable', from: { fd: openSync(dir, 'r'), size: 4 } });
  give(thread, fd, { name: 'no/such', content: 'x' });
  give(thread, fd, { name: 'good', content: 'x' });
  const landings = results(thread).map(([, landing]) => [landing >> 16, landing & 0xffff]);
  t.same(landings, [
    [Step.RENAME, EISDIR],
    [Step.READ, 61],
    [Step.READ, EISDIR],
    [Step.CREATE, ENOENT],
    [0, 0],
  ]);
  t.same(readdirSync(dir).sort(), ['full', 'good', 'short']);
});

t.test('a file that is listed is copied as long as it is by now', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  const fd = openSync(dir, 'r');
  const text = 'x'.repeat(200_000);
  writeFileSync(join(dir, 'source'), text);
  writeFileSync(join(dir, 'empty'), '');
  const copy = (path: string, name: string, size: number): void => {
    give(thread, fd, { name, from: { fd: openSync(path, 'r'), size, isListed: true } });
  };
  for (const size of [0, 1, 70_000, 199_999, 200_000, 200_001, 500_000]) copy(join(dir, 'source'), `${size}`, size);
  copy(join(dir, 'empty'), 'none', 0);
  copy(join(dir, 'empty'), 'cut', 7);
  // These say that they have 0 bytes, and have some.
  copy('/proc/self/stat', 'untrue', 0);
  copy('/proc/self/stat', 'untrue-now', 5);
  copy('/dev/zero', 'device', 5);
  copy(dir, 'directory', 5);
  const landings = results(thread).map(([, landing]) => landing >> 16);
  const resized = Step.RESIZED;
  t.same(landings, [
    resized,
    resized,
    resized,
    resized,
    0,
    resized,
    resized,
    0,
    resized,
    0,
    resized,
    Step.READ,
    Step.READ,
  ]);
  for (const name of ['0', '1', '70000', '199999', '200000', '200001', '500000']) {
    t.equal(readFileSync(join(dir, name), 'latin1'), text, name);
  }
  for (const name of ['none', 'cut', 'untrue', 'untrue-now']) t.equal(statSync(join(dir, name)).size, 0, name);
  t.notOk(existsSync(join(dir, 'device')) || existsSync(join(dir, 'directory')));
});

t.test('the side that gives makes files itself, too, and a directory that is left is closed', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  const fd = openSync(dir, 'r');
  const { jobs, kernel } = thread;
  give(thread, fd, { name: 'theirs', content: 'x'.repeat(1000) });
  fill(jobs, OWN_JOB, fd, { name: 'ours', content: 'own content' });
  t.equal(kernel?.wasm.makeFiles(WorkPlace.JOB, 1), 1);
  t.same(results(thread), [[0, 0]]);
  const at = jobs.reserve(HEAD_BYTES);
  jobs.words[at / 4 + Field.LENGTH] = HEAD_BYTES;
  jobs.words[at / 4 + Field.KIND] = Kind.LEAVE;
  jobs.words[at / 4 + Field.DIR] = fd;
  jobs.commit(HEAD_BYTES, 0);
  jobs.wake();
  await waitFor(() => !existsSync(`/proc/self/fd/${fd}`), 30_000, 'the directory to be closed');
  t.equal(readFileSync(join(dir, 'ours'), 'latin1'), 'own content');
  t.equal(statSync(join(dir, 'ours')).mode & 0o7777, 0o640);
  t.same(readdirSync(dir).sort(), ['ours', 'theirs']);
});

t.test('a thread that was stopped takes nothing on', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  const fd = openSync(dir, 'r');
  thread.jobs.stop();
  give(thread, fd, { name: 'b', content: 'x' });
  await waitFor(() => !thread.isReady || thread.jobs.hasResult, 30_000, 'the thread to end');
  t.same(readdirSync(dir), []);
});

t.test('the ring goes round many times, and is bounded', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  const fd = openSync(dir, 'r');
  const { jobs } = thread;
  const count = 3000;
  let most = 0;
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const file = { name: `f${i}`, content: `${i} `.repeat(i % 997) };
    while (!give(thread, fd, file)) {
      for (const [attributes, landing] of results(thread)) failed += attributes + landing;
    }
    most = Math.max(most, jobs.underWay);
  }
  for (const [attributes, landing] of results(thread)) failed += attributes + landing;
  t.equal(failed, 0);
  t.ok(most <= MOST_JOBS, `${most} at once`);
  t.equal(readdirSync(dir).length, count);
  for (let i = 0; i < count; i += 13) {
    if (readFileSync(join(dir, `f${i}`), 'latin1') !== `${i} `.repeat(i % 997)) t.fail(`content of f${i}`);
  }
  rmSync(dir, { recursive: true });
});
