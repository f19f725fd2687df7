import { join } from 'node:path';
import t from 'tap';
import { diffTrees, readTree } from '../lib/compare.js';
import { startDaemon } from '../lib/daemon.js';
import { hostileClient, hostileServer } from '../lib/hostile.js';
import { TSRSYNC } from '../lib/project.js';
import { makeRecordedTrees } from '../lib/record.js';
import { play, type Recording, readRecording, recordingNames } from '../lib/recordings.js';
import { normalize } from '../lib/routes.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const ROOT = process.getuid?.() === 0;

/** A login answers a challenge of its own, so it cannot be played back. */
const RECORDINGS = recordingNames()
  .map(readRecording)
  .filter((recording) => recording.user === undefined);

function differences(recording: Recording, dir: string): string[] {
  return diffTrees(recording.tree, readTree(dir), { owner: ROOT, hardLinks: recording.args.includes('-aH') });
}

for (const recording of RECORDINGS.filter(({ direction }) => direction === 'push')) {
  t.test(`our daemon takes what a real client once sent: ${recording.name}`, async (t) => {
    const dir = tempDir(t);
    makeRecordedTrees(dir, recording);
    const dst = join(dir, 'dst');
    const modules = { dst: { path: dst, 'read only': 'no' } };
    const daemon = await startDaemon(t, TSRSYNC, { dir: join(dir, 'daemon'), modules });
    const client = await hostileClient(t, daemon.port);
    await play(client, recording, 'c2s');
    await client.rest();
    t.same(differences(recording, dst), [], daemon.log());
  });
}

for (const recording of RECORDINGS.filter(({ direction }) => direction !== 'push')) {
  t.test(`our client takes what a real daemon once sent: ${recording.name}`, async (t) => {
    const dir = tempDir(t);
    makeRecordedTrees(dir, recording);
    const dst = join(dir, 'dst');
    const port = await hostileServer(t, async (peer) => {
      await play(peer, recording, 's2c');
      await peer.rest();
    });
    const source = `rsync://127.0.0.1:${port}/src/`;
    const paths = recording.direction === 'list' ? [source] : [source, `${dst}/`];
    const done = await runProgram(TSRSYNC, [...recording.args, ...paths]);
    t.equal(done.code, 0, done.stderr);
    t.equal(normalize(done.stdout), normalize(recording.stdout));
    t.same(differences(recording, dst), []);
  });
}
