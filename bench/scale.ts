/**
 * `npm run bench -- growth memory`: how time and memory grow, ours beside the installed rsync (client and daemon of the
 * same program). BENCH_SCALE shrinks the counts.
 */
import { spawn } from 'node:child_process';
import { closeSync, cpSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningDaemon } from '../test/lib/daemon.js';
import type { Program } from '../test/lib/project.js';
import { cleanEnv } from '../test/lib/run.js';
import { measure, median, readyMemory } from './measure.js';
import { emptyFiles, large } from './rows.js';

/** A program in both roles, with its running daemon; `dir` is the folder of its module `w`. */
export interface Side {
  program: Program;
  daemon: RunningDaemon;
  dir: string;
}

type Table = (sides: readonly Side[], scale: number) => Promise<void>;

const TURNS = 3;
const MIB = 1 << 20;

/** Seconds for one job, the sides in turns. */
async function timeEach(sides: readonly Side[], args: string[], source: string, target: string): Promise<number[]> {
  const times: number[][] = sides.map(() => []);
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [index, { program, daemon, dir }] of sides.entries()) {
      readyMemory(dir);
      const { wall } = await measure(program, [...args, `${source}/`, daemon.url(`w/${target}/`)], daemon.child);
      if (turn > 0) times[index].push(wall);
    }
  }
  return times.map(median);
}

function line(name: string, sides: readonly Side[], values: readonly (number | string)[], unit: string): void {
  const cells = sides.map(({ program }, i) => `${program.name} ${values[i]}${unit}`.padEnd(26));
  console.log(`  ${name.padEnd(34)}${cells.join('')}`);
}

/** Four points each: twice the files, twice the bytes. */
const growth: Table = async (sides, scale) => {
  console.log('growth: seconds for empty files with nothing to do, and for the bytes of one file that is sent again');
  const { dir } = sides[0];
  for (const count of [50_000, 100_000, 200_000, 400_000]) {
    emptyFiles(join(dir, 'source'), (scale * count) / 300_000);
    cpSync(join(dir, 'source'), join(dir, 'target'), { recursive: true, preserveTimestamps: true });
    const times = await timeEach(sides, ['-a'], join(dir, 'source'), 'target');
    line(
      `${Math.round(count * scale)} files`,
      sides,
      times.map((time) => time.toFixed(3)),
      ' s',
    );
    clear(dir);
  }
  for (const mib of [128, 256, 512, 1024]) {
    mkdirSync(join(dir, 'source'));
    large(join(dir, 'source', 'large'), (scale * mib) / 1024, 2);
    const times = await timeEach(sides, ['-aIW'], join(dir, 'source'), 'target');
    line(
      `${Math.round(mib * scale)} MiB`,
      sides,
      times.map((time) => time.toFixed(3)),
      ' s',
    );
    clear(dir);
  }
};

/** Highest resident size of the processes of a group so far, in KiB, by process. */
function residentPeaks(group: number, into: Map<number, number>): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) !== group) continue;
      const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
      into.set(Number(pid), Math.max(peak, into.get(Number(pid)) ?? 0));
    } catch {
      // It has just ended.
    }
  }
}

/** Peaks of a run in MiB: of the client, and of the largest process of the daemon. */
async function peakOf(side: Side, args: readonly string[]): Promise<string> {
  const { program, daemon } = side;
  const child = spawn(program.command, [...program.prefix, ...args], {
    env: cleanEnv(),
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const client = new Map<number, number>();
  const server = new Map<number, number>();
  const timer = setInterval(() => {
    residentPeaks(child.pid as number, client);
    residentPeaks(daemon.child.pid as number, server);
  }, 20);
  const code = await new Promise((resolve) => child.on('exit', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${program.name} ${args.join(' ')} ended with ${code}`);
  const mib = (peaks: Map<number, number>) => Math.round(Math.max(0, ...peaks.values()) / 1024);
  return `${mib(client)} + ${mib(server)}`;
}

async function memoryLine(name: string, sides: readonly Side[], args: string[], target: string): Promise<void> {
  const peaks: string[] = [];
  for (const side of sides) {
    peaks.push(await peakOf(side, [...args, `${join(side.dir, 'source')}/`, side.daemon.url(`w/${target}/`)]));
  }
  line(name, sides, peaks, ' MiB');
}

const memory: Table = async (sides, scale) => {
  console.log('memory: highest resident size, client + largest process of the daemon');
  const { dir } = sides[0];
  mkdirSync(join(dir, 'source'));
  await memoryLine('an empty folder', sides, ['-a'], 'target');
  clear(dir);
  emptyFiles(join(dir, 'source'), (scale * 1_000_000) / 300_000);
  cpSync(join(dir, 'source'), join(dir, 'target'), { recursive: true, preserveTimestamps: true });
  const count = Math.round(scale * 1_000_000);
  await memoryLine(`${count} files`, sides, ['-a'], 'target');
  await memoryLine(`${count} files, whole list`, sides, ['-a', '--no-inc-recursive'], 'target');
  clear(dir);
  for (const gib of [20, 64]) {
    mkdirSync(join(dir, 'source'));
    const fd = openSync(join(dir, 'source', 'sparse'), 'w');
    ftruncateSync(fd, Math.round(gib * scale * 1024) * MIB);
    closeSync(fd);
    await memoryLine(`${gib * scale} GiB, sparse`, sides, ['-aS'], 'target');
    clear(dir);
  }
};

function clear(dir: string): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true });
}

export const SCALE_TABLES: Record<string, Table> = { growth, memory };
