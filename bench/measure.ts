import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../test/lib/project.js';
import { cleanEnv } from '../test/lib/run.js';

/** Seconds of the clock, and of processors on both sides together. */
export interface Sample {
  wall: number;
  cpu: number;
}

const TICKS_PER_SECOND = 100;
const LIMIT_MS = 600_000;
const MIB = 1 << 20;
/** More than any row writes and its processes take: a gigabyte, and what they need besides. */
const READY_MIB = 2048;

/**
 * Has the machine hold the memory that the next run is going to take, in `dir`, a folder of the memory file system. A
 * virtual machine gives free memory back to its host within seconds, and each page of it that is touched again waits
 * for the host: that was 0.2 s or 1.9 s of a run that writes 1 GiB, whoever's run it met.
 */
export function readyMemory(dir: string): void {
  const path = join(dir, 'ready');
  const piece = Buffer.alloc(MIB);
  const fd = openSync(path, 'w');
  const { bavail, bsize } = statfsSync(dir);
  const most = Math.min(READY_MIB, Math.floor((bavail * bsize) / 2 / MIB));
  for (let count = 0; count < most; count++) writeSync(fd, piece);
  closeSync(fd);
  rmSync(path);
}

/** CPU seconds that a process group has used so far, ended children included. */
export function groupCpu(group: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    } catch {
      continue;
    }
    // The name in parentheses may hold spaces; behind it: state ppid pgrp ... utime stime cutime cstime (14th to 17th).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(fields[2]) !== group) continue;
    for (const field of fields.slice(11, 15)) ticks += Number(field);
  }
  return ticks / TICKS_PER_SECOND;
}

/** The shell's `times` tells what its ended children used: the second line, user and system. */
function parseTimes(text: string): number {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line.split(' ').reduce((sum, part) => {
    const [minutes, seconds] = part.replace('s', '').split('m');
    return sum + Number(minutes) * 60 + Number(seconds);
  }, 0);
}

/** Runs a client once against a daemon and measures it. Throws when it fails. */
export async function measure(client: Program, args: readonly string[], daemon: ChildProcess): Promise<Sample> {
  const group = daemon.pid as number;
  const before = groupCpu(group);
  const start = process.hrtime.bigint();
  const command = ['-c', '"$@"; code=$?; times >&3; exit $code', 'sh', client.command, ...client.prefix, ...args];
  const child = spawn('/bin/sh', command, { env: cleanEnv(), stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  const text = { errors: '', times: '' };
  child.stderr?.on('data', (chunk) => {
    text.errors += chunk;
  });
  child.stdio[3]?.on('data', (chunk) => {
    text.times += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let wall = 0;
  child.on('exit', () => {
    wall = Number(process.hrtime.bigint() - start) / 1e9;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${client.name} ${args.join(' ')} ended with ${code}: ${text.errors}`);
  return { wall, cpu: parseTimes(text.times) + (groupCpu(group) - before) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
