import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileThread } from '../../src/files/thread/file-thread.js';
import { dataAt, Field, HEAD_BYTES, Kind, MOST_JOBS, Step } from '../../src/files/thread/queue.js';
import { hasLibc } from '../../src/libc/libc.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const ENOENT = 2;
const EISDIR = 21;

interface File {
  name: string;
  temp: string;
  content?: string;
  /** Descriptor of a file whose first `size` bytes are the content. */
  from?: { fd: number; size: number };
}

async function startThread(t: Test): Promise<FileThread> {
  t.ok(hasLibc(), 'the C library can be reached');
  const thread = new FileThread(() => {});
  t.teardown(() => thread.stop());
  await waitFor(() => thread.isReady, 30_000, 'the thread to be ready');
  return thread;
}

function enter(thread: FileThread, dir: string): void {
  const { jobs } = thread;
  const at = jobs.reserve(HEAD_BYTES);
  jobs.words[at / 4 + Field.KIND] = Kind.ENTER;
  jobs.words[at / 4 + Field.FD] = openSync(dir, 'r');
  jobs.commit(HEAD_BYTES, false);
}

/** Gives a job; false when there is no room. */
function give({ jobs }: FileThread, file: File): boolean {
  const { name, temp, content = '', from } = file;
  const data = dataAt(temp.length, name.length);
  const length = data + content.length;
  const at = jobs.reserve(length);
  if (at < 0) return false;
  const word = at / 4;
  const set = (field: number, value: number): void => {
    jobs.words[word + field] = value;
  };
  set(Field.KIND, from ? Kind.COPY : Kind.WRITE);
  set(Field.FD, from?.fd ?? -1);
  set(Field.RIGHTS, 0o600);
  set(Field.MODE, 0o100640);
  set(Field.UID, -1);
  set(Field.GID, -1);
  set(Field.TIMES, 1);
  jobs.words.fill(0, word + Field.TIMESPEC, word + Field.TIMESPEC + 8);
  set(Field.TIMESPEC + 4, 1_000_000_000);
  set(Field.TEMP, temp.length);
  set(Field.NAME, name.length);
  set(Field.DATA, from?.size ?? content.length);
  jobs.bytes.write(`${temp}\0${name}\0`, at + HEAD_BYTES, 'latin1');
  jobs.bytes.write(content, at + data, 'latin1');
  jobs.commit(length, true);
  return true;
}

/** The results of all jobs under way: [attributes, landing]. */
function results({ jobs }: FileThread): [number, number][] {
  jobs.waitForAll(30_000);
  const all: [number, number][] = [];
  for (; jobs.hasResult; jobs.take()) all.push([jobs.attributes, jobs.landing]);
  return all;
}

t.test('files are written and copied, with mode and time', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  enter(thread, dir);
  writeFileSync(join(dir, 'source'), 'x'.repeat(200_000));
  writeFileSync(join(dir, 'new'), 'what is replaced');
  give(thread, { name: 'new', temp: '.new.000000', content: 'content' });
  give(thread, { name: 'empty', temp: '.empty.00000' });
  give(thread, { name: 'copy', temp: '.copy.00000', from: { fd: openSync(join(dir, 'source'), 'r'), size: 150_000 } });
  t.same(results(thread), [
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  t.equal(readFileSync(join(dir, 'new'), 'latin1'), 'content');
  t.equal(statSync(join(dir, 'empty')).size, 0);
  t.equal(readFileSync(join(dir, 'copy'), 'latin1'), 'x'.repeat(150_000));
  t.equal(statSync(join(dir, 'copy')).mode & 0o7777, 0o640);
  t.equal(statSync(join(dir, 'new')).mtimeMs, 1_000_000_000_000);
  t.same(readdirSync(dir).sort(), ['copy', 'empty', 'new', 'source']);
});

t.test('a temporary name that is taken is not overwritten', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  enter(thread, dir);
  writeFileSync(join(dir, '.a.000000'), 'somebody else');
  give(thread, { name: 'a', temp: '.a.000000', content: 'ours' });
  t.same(results(thread), [[0, 0]]);
  t.equal(readFileSync(join(dir, '.a.000000'), 'latin1'), 'somebody else');
  t.equal(readFileSync(join(dir, 'a'), 'latin1'), 'ours');
});

t.test('what fails is told, and nothing is left of it', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  mkdirSync(join(dir, 'full/in'), { recursive: true });
  writeFileSync(join(dir, 'short'), 'abc');
  enter(thread, dir);
  give(thread, { name: 'full', temp: '.full.000000', content: 'x' });
  give(thread, { name: 'short-copy', temp: '.short.000000', from: { fd: openSync(join(dir, 'short'), 'r'), size: 4 } });
  give(thread, { name: 'unreadable', temp: '.un.000000', from: { fd: openSync(dir, 'r'), size: 4 } });
  give(thread, { name: 'no/such', temp: 'no/.such.000000', content: 'x' });
  give(thread, { name: 'good', temp: '.good.000000', content: 'x' });
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

t.test('a thread that was stopped takes nothing on', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  enter(thread, dir);
  thread.jobs.stop();
  give(thread, { name: 'b', temp: '.b.000000', content: 'x' });
  await waitFor(() => !thread.isReady || thread.jobs.hasResult, 30_000, 'the thread to end');
  t.same(readdirSync(dir), []);
});

t.test('the ring goes round many times, and is bounded', async (t) => {
  const dir = tempDir(t);
  const thread = await startThread(t);
  enter(thread, dir);
  const { jobs } = thread;
  const count = 3000;
  let most = 0;
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const file = { name: `f${i}`, temp: `.f${i}.000000`, content: `${i} `.repeat(i % 997) };
    while (!give(thread, file)) {
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
