import { rmSync, writeFileSync } from 'node:fs';
import type { Test } from 'tap';
import { diffTrees, readTree, type Tree } from '../lib/compare.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { normalize, type Route, referenceOf, routeName, World } from '../lib/routes.js';
import { type RunResult, run, runProgram, shellQuote } from '../lib/run.js';
import type { OptionCase } from './options-cases.js';
import { makeFixture } from './options-fixture.js';

/** Every remote way of a command line that has our program on at least one end. */
export const REMOTE_ROUTES: readonly Route[] = [
  { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'pull', protocol: null },
  { way: 'daemon', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'daemon', client: RSYNC, server: TSRSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
];

/** An underscore stands for a space inside one word. */
function words(option: OptionCase): string[] {
  return option.args.split(' ').map((word) => (word.startsWith('--filter') ? word.replaceAll('_', ' ') : word));
}

/** Runs cases in fresh copies of one fixture and compares the places that both programs leave behind. */
export class OptionRunner {
  private readonly world: World;
  private readonly since = Date.now();
  private turn = 0;

  constructor(t: Test) {
    this.world = new World(t);
    makeFixture(this.world.makeDir('fixture'));
  }

  /** Both programs on this machine alone. */
  async local(t: Test, option: OptionCase): Promise<void> {
    await this.compare(t, option, 'local', (program, place) =>
      runProgram(program, [...words(option), ...(option.from ?? 'src/').split(' '), option.to ?? 'dst/'], {
        cwd: this.world.path(place),
        env: option.env,
      }),
    );
  }

  /** A line for a shell in which `rsync` is one of the programs, and $D a remote shell that leaves its words in `words`. */
  async line(t: Test, line: string): Promise<void> {
    const bin = this.world.makeDir('bin');
    const named = [TSRSYNC.command, ...TSRSYNC.prefix].map(shellQuote).join(' ');
    writeFileSync(`${bin}/rsync`, `#!/bin/sh\nexec ${named} "$@"\n`, { mode: 0o755 });
    const noting = `#!/bin/sh\nprintf '<%s>' "$@" | sed "s#$PLACE#HERE#g" >>"$PLACE/words"\nexec ${this.world.remoteShell()} "$@"\n`;
    writeFileSync(this.world.path('noting'), noting, { mode: 0o755 });
    await this.compare(t, { args: line }, 'line', (program, place) => {
      const cwd = this.world.path(place);
      const path = program === TSRSYNC ? `${bin}:${process.env.PATH}` : process.env.PATH;
      const env = { PATH: path, D: this.world.path('noting'), PLACE: cwd, HOME: cwd };
      return run('/bin/sh', ['-c', line], { cwd, env });
    });
  }

  /** One route against the same conversation between two real ones. */
  async remote(t: Test, option: OptionCase, route: Route): Promise<void> {
    await this.compare(t, option, routeName(route), async (program, place) => {
      const taken = program === RSYNC ? referenceOf(route) : route;
      const { command, args } = await this.remoteCommand(taken, option, place);
      return runProgram(command, args, { cwd: this.world.path(place), env: option.env });
    });
  }

  private async compare(
    t: Test,
    option: OptionCase,
    way: string,
    start: (program: Program, place: string) => Promise<RunResult>,
  ): Promise<void> {
    const turn = this.turn++;
    const [ours, theirs] = [`ours-${turn}`, `peer-${turn}`];
    const title = `${way}: ${option.args} ${option.from ?? 'src/'} ${option.to ?? 'dst/'}`;
    await Promise.all([this.freshPlace(ours), this.freshPlace(theirs)]);
    const [actual, expected] = await Promise.all([start(TSRSYNC, ours), start(RSYNC, theirs)]);
    t.equal(actual.code, expected.code, `${title}: exit code`);
    t.same(stable(actual.stderr), stable(expected.stderr), `${title}: stderr`);
    t.same(stable(actual.stdout), stable(expected.stdout), `${title}: stdout`);
    const { since } = this;
    t.same(diffTrees(this.tree(theirs), this.tree(ours), { since }), [], `${title}: trees`);
    for (const place of [ours, theirs]) rmSync(this.world.path(place), { recursive: true, force: true });
  }

  /** With -R the path of a place is part of the names. */
  private tree(place: string): Tree {
    return new Map([...readTree(this.world.path(place))].map(([name, entry]) => [samePlace(name), entry]));
  }

  private async freshPlace(place: string): Promise<void> {
    await run('cp', ['-a', '--', this.world.path('fixture'), this.world.path(place)]);
  }

  private async remoteCommand(route: Route, option: OptionCase, place: string) {
    const from = (option.from ?? 'src/').split(' ');
    const to = option.to ?? 'dst/';
    const version = route.protocol === null ? [] : [`--protocol=${route.protocol}`];
    const args = [...version, ...words(option)];
    let far = (name: string): string => `host:${this.world.path(place)}/${name}`;
    if (route.way === 'daemon') {
      const daemon = await this.world.daemon(route.server);
      far = (name) => daemon.url(`w/${place}/${name}`);
    } else {
      args.push('-e', this.world.remoteShell(), `--rsync-path=${route.server.remotePath}`);
    }
    const paths = route.direction === 'push' ? [...from, far(to)] : [...from.map(far), to];
    return { command: route.client, args: [...args, ...paths] };
  }
}

/**
 * Output in a comparable form. With a pull two processes of the real one write to the terminal, so the order of what
 * they say to each other's lines is chance: lines are compared as a sorted list.
 */
function stable(text: string): string[] {
  const lines = samePlace(normalize(text))
    .replace(/\r +[\d,.]+[KMG]? +\d+% +rate *(?=[\r\n]|$)/g, '')
    .replaceAll('\r', '\n')
    .split('\n')
    .sort();
  // Where a message falls into the line of a progress, that line is ended for it.
  return text.includes('\r') ? lines.filter((line) => line !== '') : lines;
}

function samePlace(text: string): string {
  return text.replace(/\b(ours|peer)-\d+/g, 'place');
}

/** Does `work` for all items, a few at a time: the real rsync spends most of a short run waiting. */
export async function inParallel<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>) {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await work(items[index], index);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}
