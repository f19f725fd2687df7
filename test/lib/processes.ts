import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { waitFor } from './wait.js';

/** Name of the environment variable that marks the processes of one test, however they were started. */
export const MARK = 'TSRSYNC_TEST_MARK';

let counter = 0;

/** A value for MARK that no other test uses. */
export function newMark(): string {
  return `${process.pid}-${counter++}`;
}

/** All process ids. */
function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Command lines of the living processes whose environment has the mark. Zombies have no environment left. */
export function marked(mark: string): string[] {
  const found: string[] = [];
  for (const pid of pids()) {
    try {
      const env = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      if (!env.includes(`${MARK}=${mark}`)) continue;
      found.push(`${pid}: ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`);
    } catch {
      // It ended while we looked, or is somebody else's.
    }
  }
  return found;
}

/** Waits until every process with the mark is gone; throws with their command lines otherwise. */
export async function noneLeft(mark: string, ms = 60_000): Promise<void> {
  try {
    await waitFor(() => marked(mark).length === 0, ms, 'processes to end');
  } catch {
    throw new Error(`still running: ${marked(mark).join('; ')}`);
  }
}

/** State, parent and group of a process, and what follows in its `stat`; empty when it is gone. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // They stand behind the name, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** Process ids of a process group. */
function groupMembers(leader: number): number[] {
  return pids().filter((pid) => Number(statFields(pid)[2]) === leader);
}

/** Waits until a process has done all that it was woken for: seen asleep several times in a row. */
export async function atRest(pid: number, ms = 30_000): Promise<void> {
  let seen = 0;
  const isAsleep = () => {
    seen = statFields(pid)[0] === 'S' ? seen + 1 : 0;
    return seen === 4;
  };
  await waitFor(isAsleep, ms, `process ${pid} to be at rest`);
}

/** Inodes of the sockets that belong to nobody's connection: listening ones, and those between processes. */
function quietSockets(): Set<string> {
  const found = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/net/${table}`, 'latin1').split('\n')) {
      const fields = line.trim().split(/ +/);
      if (fields[3] === '0A') found.add(fields[9]);
    }
  }
  for (const line of readFileSync('/proc/net/unix', 'latin1').split('\n')) found.add(line.trim().split(/ +/)[6]);
  return found;
}

/**
 * True when no process of the group holds a connection, not even one that the other side has reset already. A daemon
 * works on what it has received when its client is long gone; only then is it done.
 */
export function withoutConnections(leader: number): boolean {
  const members = groupMembers(leader);
  const held = members.flatMap(socketsOf);
  const quiet = quietSockets();
  return held.every((inode) => quiet.has(inode));
}

function socketsOf(pid: number): string[] {
  return linksOf(pid).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

/** What the open descriptors of a process lead to. */
function linksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

/** Files that processes of the group hold open and that have no name any more. */
export function namelessFiles(leader: number): string[] {
  const links = groupMembers(leader).flatMap((pid) => linksOf(pid));
  return links.filter((link) => link.startsWith('/') && link.endsWith(' (deleted)'));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
