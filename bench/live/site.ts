import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningDaemon, startDaemon } from '../../test/lib/daemon.js';
import { allLookSo, lookAt, pause } from '../../test/lib/looks.js';
import { Random } from '../../test/lib/random.js';
import { type Relay, startRelay } from '../../test/lib/relay.js';
import type { Teardown } from '../../test/lib/temp.js';
import { waitFor } from '../../test/lib/wait.js';
import { groupCpu } from '../measure.js';
import { FarSide } from './far-side.js';
import { type Contender, type RunningMirror, startMirror } from './mirrors.js';

const FILES_PER_DIR = 100;
const READY_MS = 60_000;
/** Longer than lsyncd's delay: when nobody has connected for so long, all is done. */
const QUIET_MS = 1800;

/** What a mirror has used so far. */
export interface Usage {
  cpu: number;
  connections: number;
}

/** A source folder, a daemon with the folder that is to be equal to it, and a mirror between them. */
export class Site {
  readonly source: string;
  readonly target: string;
  private readonly after: (() => unknown)[] = [];
  private daemon!: RunningDaemon;
  private relay!: Relay;
  private mirror: RunningMirror | null = null;

  constructor(
    readonly contender: Contender,
    private readonly dir: string,
  ) {
    this.source = join(dir, 'source');
    this.target = join(dir, 'w', 'target');
  }

  /** Makes the tree and starts the daemon. The mirror is started apart. */
  async open(files: number): Promise<void> {
    makeTree(this.source, files);
    mkdirSync(this.target, { recursive: true });
    const t: Teardown = { teardown: (fn) => this.after.push(fn) };
    const modules = { w: { path: join(this.dir, 'w'), 'read only': 'no' } };
    this.daemon = await startDaemon(t, this.contender.server, { dir: join(this.dir, 'daemon'), modules });
    this.relay = await startRelay(t, this.daemon.port, undefined, false);
  }

  /** Starts the mirror and waits until it is in step. Bytes are counted only `viaRelay`, which costs time. */
  async start(viaRelay: boolean): Promise<void> {
    const port = viaRelay ? this.relay.port : this.daemon.port;
    const task = { source: this.source, url: `rsync://127.0.0.1:${port}/w/target/`, dir: join(this.dir, 'mirror') };
    this.mirror = startMirror(this.contender, task);
    try {
      const ended = this.mirror.ended.then(() => Promise.reject(new Error('the mirror ended')));
      await Promise.race([this.inStep(), ended]);
    } catch (error) {
      throw new Error(`${this.contender.name}: ${(error as Error).message}\n${this.mirror.output().slice(-2000)}`);
    }
  }

  /** Everything is there, and a change is followed. */
  private async inStep(): Promise<void> {
    const all = await allLookSo(this.target, lookAt(this.source), READY_MS);
    if (!all) throw new Error('the first comparison did not end');
    const farSide = new FarSide(this.target);
    let count = 0;
    await waitFor(
      async () => {
        const content = Buffer.from(`probe ${count++}`);
        writeFileSync(join(this.source, 'probe'), content);
        return farSide.holds('probe', content, 2000);
      },
      READY_MS,
      'a change to be followed',
    ).finally(() => farSide.close());
    await this.quiet();
  }

  usage(): Usage {
    const connections = this.daemon.log().match(/connect from /g)?.length ?? 0;
    return { cpu: groupCpu(this.mirror!.group), connections };
  }

  /** Bytes that went to the daemon through the relay. */
  sentBytes(): number {
    return this.relay.sessions.reduce((sum, session) => sum + session.bytes.c2s, 0);
  }

  /** Waits until the mirror has nothing to do any more. */
  async quiet(): Promise<void> {
    let before = this.activity();
    for (;;) {
      await pause(QUIET_MS);
      const now = this.activity();
      if (now === before) return;
      before = now;
    }
  }

  /** Changes as long as something is done: connections, lines of the daemon's log, bytes. */
  private activity(): string {
    return `${this.daemon.log().length} ${this.sentBytes()}`;
  }

  async stopMirror(): Promise<void> {
    await this.mirror?.stop();
    this.mirror = null;
  }

  async close(): Promise<void> {
    await this.stopMirror();
    for (const fn of this.after.reverse()) await fn();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function makeTree(dir: string, files: number): void {
  const random = new Random(1);
  for (let index = 0; index < files; index++) {
    const path = join(dir, nameOf(index));
    if (index % FILES_PER_DIR === 0) mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, random.bytes(200 + random.int(8000)));
  }
}

/** Name of a file of the tree, relative. */
export function nameOf(index: number): string {
  return `d${Math.floor(index / FILES_PER_DIR)}/file${index}`;
}
