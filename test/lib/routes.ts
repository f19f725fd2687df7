import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Params, type RunningDaemon, startDaemon } from './daemon.js';
import type { Program } from './project.js';
import { RSYNC, TSRSYNC } from './project.js';
import { fakeRemoteShell } from './remote-shell.js';
import { type RunOptions, type RunResult, runProgram } from './run.js';
import { memoryDir, type Teardown } from './temp.js';

export type Way = 'daemon' | 'shell' | 'local';
export type CopyDirection = 'push' | 'pull';

/** How two programs talk in one run. `server` is not used for a local copy. */
export interface Route {
  way: Way;
  client: Program;
  server: Program;
  direction: CopyDirection;
  /** null: what the two agree on. */
  protocol: number | null;
}

export function routeName(route: Route): string {
  const version = route.protocol === null ? '' : ` protocol ${route.protocol}`;
  if (route.way === 'local') return `${route.client.name} local${version}`;
  const [from, to] = [`${route.client.name} client`, `${route.server.name} ${route.way}`];
  return `${from} ${route.direction === 'push' ? 'pushes to' : 'pulls from'} ${to}${version}`;
}

/** The same conversation with the real program on both sides: what every route is held against. */
export function referenceOf(route: Route): Route {
  return { ...route, client: RSYNC, server: RSYNC };
}

/** Pairs of client and server with at least one of ours. */
export const PAIRS: readonly { client: Program; server: Program }[] = [
  { client: TSRSYNC, server: RSYNC },
  { client: RSYNC, server: TSRSYNC },
  { client: TSRSYNC, server: TSRSYNC },
];

/** A folder that the programs of a test share: a daemon for each program (started when first used) and a remote shell. */
export class World {
  readonly dir: string;
  private readonly daemons = new Map<string, Promise<RunningDaemon>>();
  private shell: string | null = null;

  constructor(
    private readonly t: Teardown,
    /** Further parameters of the daemons' module. */
    private readonly module: Params = {},
  ) {
    this.dir = memoryDir(t);
  }

  /** A path in the folder, made as a directory. */
  makeDir(name: string): string {
    const path = join(this.dir, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** The daemon of a program; its module `w` is the whole folder, writable. */
  daemon(program: Program): Promise<RunningDaemon> {
    let daemon = this.daemons.get(program.command + program.name);
    if (daemon === undefined) {
      daemon = startDaemon(this.t, program, {
        dir: this.path(`daemon-${program.name}`),
        modules: { w: { path: this.dir, 'read only': 'no', ...this.module } },
      });
      this.daemons.set(program.command + program.name, daemon);
    }
    return daemon;
  }

  remoteShell(): string {
    this.shell ??= fakeRemoteShell(this.dir);
    return this.shell;
  }

  /** Copies `from` to `to` (both below this folder, a trailing slash means the content) over a route. */
  async copy(route: Route, args: readonly string[], from: string, to: string, run?: RunOptions): Promise<RunResult> {
    const version = route.protocol === null ? [] : [`--protocol=${route.protocol}`];
    const [source, dest] = await this.ends(route, from, to);
    return runProgram(route.client, [...version, ...this.shellArgs(route), ...args, source, dest], run);
  }

  private shellArgs(route: Route): string[] {
    if (route.way !== 'shell') return [];
    return ['-e', this.remoteShell(), `--rsync-path=${route.server.remotePath}`];
  }

  private async ends(route: Route, from: string, to: string): Promise<[string, string]> {
    const near = (name: string): string => join(this.dir, name);
    let far = near;
    if (route.way === 'shell') far = (name) => `host:${near(name)}`;
    if (route.way === 'daemon') {
      const daemon = await this.daemon(route.server);
      far = (name) => daemon.url(`w/${name}`);
    }
    return route.direction === 'push' ? [near(from), far(to)] : [far(from), near(to)];
  }
}

/**
 * Output with what may differ between two right runs taken out: byte counts on the wire, times and rates. A sender's
 * "File list size" counts what had left its buffers when the list was done, so it depends on their sizes.
 */
export function normalize(text: string): string {
  return text
    .replace(/^sent [\d,.KMG]+ bytes {2}received [\d,.KMG]+ bytes {2}[\d,.KMG]+ bytes\/sec$/gm, 'sent, received')
    .replace(/speedup is [\d,.]+/g, 'speedup')
    .replace(/^(File list generation time|File list transfer time): .*$/gm, '$1')
    .replace(/^(File list size): .*$/gm, '$1')
    .replace(/^(Total bytes sent|Total bytes received): .*$/gm, '$1')
    .replace(/ port \d+$/gm, ' port N')
    .replace(/^opening connection using: .*$/gm, 'opening connection')
    .replace(/ at [\w./-]+(\(\d+\))? \[/g, ' at * [')
    .replace(/hash_hits=\d+/g, 'hash_hits')
    .replace(/closed \(\d+ bytes received so far\)/g, 'closed (bytes received so far)')
    .replace(/\[\d+\]/g, '[pid]')
    .replace(/ +[\d.,]+(kB|MB|GB|B)\/s +\d+:\d\d:\d\d/g, ' rate');
}
