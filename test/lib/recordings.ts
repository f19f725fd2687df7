import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MPLEX_BASE } from '../../protocol/constants.js';
import type { Tree, TreeEntry } from './compare.js';
import type { RawPeer } from './hostile.js';
import { PROJECT } from './project.js';
import type { RecordedCase } from './record.js';
import type { Direction } from './relay.js';

/** A session of the real rsync as it was recorded. */
export interface Recording extends RecordedCase {
  /** Everything the client sent, and everything the server sent. */
  c2s: Buffer;
  s2c: Buffer;
  /** Which side spoke, and how many bytes, in the order of both. */
  order: [Direction, number][];
  /** What the client printed. */
  stdout: string;
  /** The receiving side afterwards. */
  tree: Tree;
}

/** A local peer that says nothing for so long waits for us, even on a busy machine. */
const SILENCE_MS = 400;

/** Before protocol 30. */
const OLD_GREETING = /^@RSYNCD: 2/;

const FOLDER = join(PROJECT, 'fixtures', 'wire');

/** Names of all recordings. */
export function recordingNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

export function readRecording(name: string): Recording {
  const file = (suffix: string): Buffer => readFileSync(join(FOLDER, `${name}.${suffix}`));
  const about = JSON.parse(file('json').toString()) as RecordedCase & {
    stdout: string;
    order: string[];
    tree: string[];
  };
  const tree: Tree = new Map();
  for (const line of about.tree) {
    const { path, mtimeNs, ...entry } = JSON.parse(line) as { path: string; mtimeNs: string } & TreeEntry;
    tree.set(path, { ...(entry as TreeEntry), mtimeNs: BigInt(mtimeNs) });
  }
  const order = about.order.map((line): [Direction, number] => {
    const [side, length] = line.split(' ');
    return [side as Direction, Number(length)];
  });
  return { ...about, order, tree, c2s: file('c2s.bin'), s2c: file('s2c.bin') };
}

/**
 * Plays one side of a recording to a peer in the rhythm of the recording: a piece goes out when the peer has said as
 * much as the recorded one had by then. The peer may do without something that the recorded one said (a keep-alive,
 * say), so one that is silent for a while is taken to wait.
 */
export async function play(peer: RawPeer, recording: Recording, side: Direction): Promise<void> {
  const own = recording[side];
  const other = side === 'c2s' ? 's2c' : 'c2s';
  let sent = 0;
  let heard = 0;
  for (const [who, length] of recording.order) {
    if (who !== side) {
      heard += length;
      continue;
    }
    const before = recording[other].subarray(0, heard);
    await peer.heard((bytes) => saidAsMuch(bytes, before, other), SILENCE_MS);
    peer.send(own.subarray(sent, sent + length));
    sent += length;
  }
}

/** How bytes are framed is each program's own affair, so what counts is what the frames hold. */
function saidAsMuch(bytes: Buffer, recorded: Buffer, side: Direction): boolean {
  const goal = payload(recorded, side);
  if (goal < 0) return bytes.length >= recorded.length;
  return payload(bytes, side) >= goal;
}

/** Bytes in data frames, or -1 when they have not begun (a client of protocol 29 has none). */
function payload(bytes: Buffer, side: Direction): number {
  let at = side === 'c2s' ? endOfClientHandshake(bytes) : endOfServerHandshake(bytes);
  if (at < 0 || at >= bytes.length) return -1;
  let count = 0;
  for (; at + 4 <= bytes.length; at += 4 + bytes.readUIntLE(at, 3)) {
    if (bytes[at + 3] === MPLEX_BASE) count += Math.min(bytes.readUIntLE(at, 3), bytes.length - at - 4);
  }
  return count;
}

/** Greeting, module, arguments ended by an empty one, lists of algorithms. */
function endOfClientHandshake(bytes: Buffer): number {
  if (OLD_GREETING.test(bytes.toString('latin1', 0, 10))) return -1;
  const end = bytes.indexOf('\0\0');
  return end < 0 ? -1 : skipAlgorithms(bytes, end + 2);
}

/** Greeting, OK, compat flags in one or two bytes, lists of algorithms, the seed. */
function endOfServerHandshake(bytes: Buffer): number {
  const ok = bytes.indexOf('@RSYNCD: OK\n');
  if (ok < 0) return -1;
  const flags = ok + 12;
  // Before protocol 30 there are neither flags nor lists.
  if (OLD_GREETING.test(bytes.toString('latin1', 0, 10))) return flags + 4;
  return skipAlgorithms(bytes, flags + (bytes[flags] >= 0x80 ? 2 : 1)) + 4;
}

function skipAlgorithms(bytes: Buffer, from: number): number {
  let at = from;
  while (/^[a-z][a-z0-9 ]{2,}$/.test(bytes.toString('latin1', at + 1, at + 1 + bytes[at]))) at += 1 + bytes[at];
  return at;
}
