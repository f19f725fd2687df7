import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** A local peer that says nothing for so long waits for us. */
const SILENCE_MS = 60;

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
 * much as the recorded one had by then. The peer may frame its bytes otherwise, so a peer that is silent is taken to
 * have said it all.
 */
export async function play(peer: RawPeer, recording: Recording, side: Direction): Promise<void> {
  const own = recording[side];
  let sent = 0;
  let heard = 0;
  for (const [who, length] of recording.order) {
    if (who !== side) {
      heard += length;
      continue;
    }
    await peer.heard(heard, SILENCE_MS);
    peer.send(own.subarray(sent, sent + length));
    sent += length;
  }
}
