import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readTree, type Tree } from '../lib/compare.js';
import { type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { MARK, newMark, noneLeft } from '../lib/processes.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Fault, startRelay } from '../lib/relay.js';
import { type RunResult, runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { buildTree, editTree, type MadeTree } from '../lib/tree.js';

/** Bytes after which the connection breaks: greeting, arguments, negotiation, list, requests, data, the end. */
const PLACES = [0, 10, 45, 70, 95, 130, 300, 900, 2500, 9000, 40_000, 200_000];
const GARBAGE = [Buffer.alloc(600, 0xff), Buffer.alloc(600), new Random(3).bytes(600)];
/** What a broken connection may end with: protocol, socket, stream, diagnostics, malloc refused, timeout and the like. */
const CODES = new Set([1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 20, 22, 23, 30]);

interface Attempt {
  name: string;
  direction: 'push' | 'pull';
  fault: Fault;
}

function attempts(): Attempt[] {
  const all: Attempt[] = [];
  for (const direction of ['push', 'pull'] as const) {
    for (const [number, after] of PLACES.entries()) {
      for (const side of ['c2s', 's2c'] as const) {
        const where = `${direction}, ${side} after ${after} bytes`;
        all.push({ name: `cut ${where}`, direction, fault: { direction: side, after } });
        const bytes = GARBAGE[number % GARBAGE.length];
        all.push({ name: `garbage ${where}`, direction, fault: { direction: side, after, bytes } });
      }
    }
  }
  return all;
}

/** A tree, an older copy of it on the far side and another one near: transfers in both directions change something. */
class Place {
  readonly newer: MadeTree;
  readonly after: Tree;
  readonly before: Tree;

  constructor(readonly dir: string) {
    const old = buildTree(join(dir, 'old'), { seed: 9, files: 40, dirs: 8, maxSize: 300_000 });
    cpSync(old.root, join(dir, 'new'), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    this.newer = { ...old, root: join(dir, 'new') };
    editTree(this.newer, 10, 25);
    this.before = readTree(join(dir, 'old'));
    this.after = readTree(join(dir, 'new'));
  }

  /** A fresh copy of the old tree. */
  target(name: string): string {
    const path = join(this.dir, name);
    cpSync(join(this.dir, 'old'), path, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    return path;
  }

  /** Names whose content is neither the old nor the new one, and names that should not be there. */
  damage(path: string): string[] {
    const bad: string[] = [];
    for (const [name, entry] of readTree(path)) {
      if (entry.type !== 'file') continue;
      const known = [this.before.get(name), this.after.get(name)];
      if (!known.some((state) => state?.content === entry.content && state.size === entry.size)) bad.push(name);
    }
    return bad;
  }
}

function checkEnd(t: Test, name: string, result: RunResult): void {
  t.notOk(result.timedOut, `${name}: ends by itself`);
  t.notMatch(result.stderr, /^ {4}at |internal error|panic/m, `${name}: no stack trace`);
  // A connection that breaks behind the last needed byte may well be a success.
  const done = result.code === 0 || CODES.has(result.code ?? -1);
  t.ok(done, `${name}: exit code ${result.code} ${result.stderr.slice(0, 200)}`);
}

/** Attempts that run side by side: the real rsync spends most of a short run waiting. */
const BATCH = 8;

interface Stage {
  place: Place;
  client: Program;
  daemon: RunningDaemon;
}

/** Runs one attempt until its client has ended; returns the target. The daemon may still be at it. */
async function attack(t: Test, { place, client, daemon }: Stage, attempt: Attempt, number: number): Promise<string> {
  const relay = await startRelay(t, daemon.port, attempt.fault);
  const mark = newMark();
  const target = place.target(`target-${daemon.port}-${number}`);
  const folder = target.slice(place.dir.length + 1);
  const url = (name: string): string => `rsync://127.0.0.1:${relay.port}/w/${name}/`;
  const paths = attempt.direction === 'push' ? [`${place.newer.root}/`, url(folder)] : [url('new'), `${target}/`];
  const args = ['-a', '--timeout=15', '--delete', ...paths];
  const result = await runProgram(client, args, { timeout: 60_000, env: { [MARK]: mark } });
  checkEnd(t, attempt.name, result);
  await noneLeft(mark);
  await relay.close();
  return target;
}

async function attackWith(t: Test, stage: Stage, batch: readonly Attempt[]): Promise<void> {
  const targets = await Promise.all(batch.map((attempt, number) => attack(t, stage, attempt, number)));
  await stage.daemon.idle();
  for (const [number, target] of targets.entries()) {
    t.same(stage.place.damage(target), [], `${batch[number].name}: every file is the old or the new one`);
    rmSync(target, { recursive: true, force: true });
  }
}

for (const [client, server] of [
  [TSRSYNC, RSYNC],
  [RSYNC, TSRSYNC],
]) {
  t.test(`a connection that breaks: ${client.name} client, ${server.name} daemon`, { timeout: 400_000 }, async (t) => {
    const place = new Place(join(tempDir(t), 'place'));
    mkdirSync(place.dir, { recursive: true });
    const daemon = await startDaemon(t, server, {
      dir: join(place.dir, 'daemon'),
      globals: { timeout: 15 },
      modules: { w: { path: place.dir, 'read only': 'no' } },
    });
    const all = attempts();
    for (let at = 0; at < all.length; at += BATCH) {
      await attackWith(t, { place, client, daemon }, all.slice(at, at + BATCH));
    }
    const alive = await runProgram(RSYNC, [daemon.url('')]);
    t.equal(alive.code, 0, 'the daemon lives');
    const good = await runProgram(client, ['-a', `${place.newer.root}/`, daemon.url('w/last/')]);
    t.equal(good.code, 0, `and works: ${good.stderr}`);
    t.same(place.damage(join(place.dir, 'last')), []);
    t.notMatch(daemon.log() + daemon.errors(), /^ {4}at /m, 'no stack trace in its log');
  });
}
