import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CompareOptions, diffTrees, readTree, type Tree } from './compare.js';
import { freePort, type RunningDaemon, startDaemon } from './daemon.js';
import { MARK, marked, newMark, noneLeft } from './processes.js';
import { PROJECT, type Program, TSRSYNC } from './project.js';
import { Random } from './random.js';
import { cleanEnv, killGroup } from './run.js';
import { type Teardown, tempDir } from './temp.js';
import { within } from './wait.js';

export interface StormPlan {
  seed: number;
  /** Processes that change the source, and operations of each. */
  processes: number;
  operations: number;
  /** Milliseconds over which they are spread. */
  ms: number;
  /** The mirror's rsync options beside --watch. */
  options: readonly string[];
  server: Program;
  /** What goes wrong, in turn; nothing when empty. */
  faults: readonly Fault[];
  /** Milliseconds between two faults, at least and at most. */
  faultEvery: readonly [number, number];
  /** Milliseconds after the last operation within which both sides are equal. */
  equalWithin: number;
  compare?: CompareOptions;
}

export interface StormResult {
  /** What differs at the end, each with the last operations on it. */
  differences: string[];
  operations: number;
  succeeded: number;
  faults: Record<string, number>;
  /** Milliseconds from the last operation until both were equal. */
  equalAfter: number;
}

const STEP_MS = 200;
/** More events than the kernel's queue holds (fs.inotify.max_queued_events is 16384 where nobody changed it). */
const FLOOD = 20_000;
const SHOWN_DIFFERENCES = 12;
const SHOWN_OPERATIONS = 8;

export const FAULTS = ['mirror killed', 'daemon killed', 'daemon ended', 'mirror stopped'] as const;
export type Fault = (typeof FAULTS)[number];

/** A tree that is changed by several processes while its mirror and the daemon on the other side are killed. */
export class Storm {
  private readonly dir: string;
  private readonly source: string;
  private readonly target: string;
  private readonly random: Random;
  private readonly mark = newMark();
  private port = 0;
  private daemon: RunningDaemon | null = null;
  private mirror: ChildProcess | null = null;
  private readonly faults: Record<string, number> = {};

  constructor(
    private readonly t: Teardown,
    private readonly plan: StormPlan,
  ) {
    this.dir = tempDir(t);
    this.source = join(this.dir, 'source');
    this.target = join(this.dir, 'w', 'target');
    this.random = new Random(plan.seed);
    mkdirSync(this.target, { recursive: true });
    mkdirSync(join(this.source, 'flood'), { recursive: true });
    for (const name of ['a', 'b']) writeFileSync(join(this.source, 'flood', name), name);
  }

  async run(): Promise<StormResult> {
    this.t.teardown(() => this.mirror && killGroup(this.mirror, 'SIGKILL'));
    this.port = await freePort();
    await this.startDaemon();
    this.startMirror();
    const workers = Array.from({ length: this.plan.processes }, (_, number) => this.startWorker(number));
    let working = true;
    const ended = Promise.all(workers).finally(() => {
      working = false;
    });
    await Promise.all([ended, this.makeFaults(() => working)]);
    const { differences, equalAfter } = await this.untilEqual();
    await this.endMirror();
    await this.daemon?.stop();
    await noneLeft(this.mark);
    return { differences: this.explain(differences), equalAfter, faults: this.faults, ...this.counts() };
  }

  /** What the mirror printed, all of its lives together. */
  output(): string {
    return readFileSync(join(this.dir, 'output'), 'latin1');
  }

  private async startDaemon(): Promise<void> {
    const modules = { w: { path: join(this.dir, 'w'), 'read only': 'no' } };
    const env = { [MARK]: this.mark };
    this.daemon = await startDaemon(this.t, this.plan.server, {
      dir: join(this.dir, 'daemon'),
      modules,
      env,
      port: this.port,
    });
  }

  private startMirror(): void {
    const out = openSync(join(this.dir, 'output'), 'a');
    const url = `rsync://127.0.0.1:${this.port}/w/target/`;
    const args = [...TSRSYNC.prefix, '--watch', ...this.plan.options, `${this.source}/`, url];
    const env = cleanEnv({ [MARK]: this.mark });
    this.mirror = spawn(TSRSYNC.command, args, { env, detached: true, stdio: ['ignore', out, out] });
    closeSync(out);
  }

  private async endMirror(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const mirror = this.mirror!;
    if (mirror.exitCode !== null || mirror.signalCode !== null) return;
    const ended = new Promise((resolve) => mirror.once('exit', resolve));
    killGroup(mirror, signal);
    await within(ended, 20_000, 'the mirror to end');
  }

  private logOf(worker: number): string {
    return join(this.dir, `operations-${worker}`);
  }

  private startWorker(number: number): Promise<void> {
    const { seed, operations, ms } = this.plan;
    const worker = join(PROJECT, 'build/test/lib/storm-worker.js');
    const args = [worker, this.source, String(seed * 100 + number), String(operations), String(ms), this.logOf(number)];
    const child = spawn(process.execPath, args, { env: cleanEnv(), stdio: ['ignore', 'ignore', 'inherit'] });
    this.t.teardown(() => child.kill('SIGKILL'));
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`worker ${number} ended with ${code}`))));
    });
  }

  private async makeFaults(goOn: () => boolean): Promise<void> {
    const { faults } = this.plan;
    const [least, most] = this.plan.faultEvery;
    let count = this.random.int(Math.max(1, faults.length));
    while (goOn() && faults.length > 0) {
      await this.pause(least + this.random.int(most - least + 1));
      if (!goOn()) return;
      const fault = faults[count++ % faults.length];
      this.faults[fault] = (this.faults[fault] ?? 0) + 1;
      await this.make(fault);
    }
  }

  private async make(fault: Fault): Promise<void> {
    if (fault === 'mirror killed') {
      await this.endMirror('SIGKILL');
      await this.pause(this.random.int(500));
      this.startMirror();
    } else if (fault === 'mirror stopped') {
      await this.flood();
    } else {
      if (fault === 'daemon killed') killGroup(this.daemon!.child, 'SIGKILL');
      await this.daemon!.stop();
      await this.pause(this.random.int(1500));
      await this.startDaemon();
    }
  }

  /** The mirror reads no event while more of them happen than the kernel keeps. */
  private async flood(): Promise<void> {
    killGroup(this.mirror!, 'SIGSTOP');
    for (let count = 0; count < FLOOD; count++) {
      chmodSync(join(this.source, 'flood', count % 2 === 0 ? 'a' : 'b'), 0o600 + this.random.int(0o100));
    }
    await this.pause(200 + this.random.int(500));
    killGroup(this.mirror!, 'SIGCONT');
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  private async untilEqual(): Promise<{ differences: string[]; equalAfter: number }> {
    const start = Date.now();
    const source = inSeconds(readTree(this.source));
    for (;;) {
      const differences = this.differences(source);
      const equalAfter = Date.now() - start;
      if (differences.length === 0 || equalAfter > this.plan.equalWithin) return { differences, equalAfter };
      await this.pause(STEP_MS);
    }
  }

  private differences(source: Tree): string[] {
    try {
      return diffTrees(source, inSeconds(readTree(this.target)), this.plan.compare);
    } catch (error) {
      return [`the target changes: ${(error as Error).message}`];
    }
  }

  private operations(): string[] {
    const logs = Array.from({ length: this.plan.processes }, (_, worker) => readFileSync(this.logOf(worker), 'latin1'));
    return logs.flatMap((log, worker) =>
      log
        .split('\n')
        .slice(0, -1)
        .map((line) => `${line} (process ${worker})`),
    );
  }

  private counts(): { operations: number; succeeded: number } {
    const all = this.operations();
    return { operations: all.length, succeeded: all.filter((line) => line.split(' ')[3] === 'ok').length };
  }

  /** Adds to each difference the last operations on what is there, under the names that it had. */
  private explain(differences: readonly string[]): string[] {
    if (differences.length === 0) return [];
    const all = this.operations()
      .filter((line) => line.split(' ')[3] === 'ok')
      .sort()
      .reverse();
    const explained = differences.slice(0, SHOWN_DIFFERENCES).map((difference) => {
      const path = /"([^"]*)"/.exec(difference)?.[1] ?? '';
      return [difference, ...historyOf(path, all).map((line) => `    ${line}`)].join('\n');
    });
    const more = differences.length - explained.length;
    return more > 0 ? [...explained, `and ${more} more`] : explained;
  }

  /** Command lines of what still runs of the mirror and the daemon. */
  running(): string[] {
    return marked(this.mark);
  }
}

/** The last operations on a path, oldest first; goes back through moves. `operations` are sorted, newest first. */
function historyOf(path: string, operations: readonly string[]): string[] {
  const found: string[] = [];
  let name = path;
  for (const line of operations) {
    const [, , operation, , ...paths] = line.split(' ');
    const touched = paths.findLast((touch) => isAtOrAbove(touch, name));
    if (touched === undefined || (name !== touched && /^(mkdir|chmod-dir)$/.test(operation))) continue;
    found.push(line);
    if (found.length === SHOWN_OPERATIONS) break;
    if (operation.startsWith('move') && touched === paths[1]) name = paths[0] + name.slice(touched.length);
  }
  return found.reverse();
}

function isAtOrAbove(name: string, path: string): boolean {
  return name !== '' && (path === name || path.startsWith(`${name}/`));
}

/** Times to the second: rsync leaves one alone that is right to the second. */
function inSeconds(tree: Tree): Tree {
  for (const entry of tree.values()) entry.mtimeNs -= entry.mtimeNs % 1_000_000_000n;
  return tree;
}
