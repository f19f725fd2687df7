import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseCommand } from '../../src/cli/options.js';
import { prepareClient } from '../../src/client/client.js';
import { SessionLog } from '../../src/live/session-log.js';
import { AnswerRuns } from '../../src/sending/answer-runs.js';
import type { Session } from '../../src/session/session.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';

/*
 * Files that change after they were listed, among many that are answered in runs: what is said and what arrives is the
 * same as for a file that is answered by itself.
 */
const COUNT = 400;
const name = (i: number): string => `file${String(i).padStart(3, '0')}`;
const content = (i: number): string => `content of ${i} `.repeat(i % 30);

/** By the number of the file: what happens to it, and what has to arrive; null: nothing. */
const CHANGES: readonly [number, (path: string) => void, string | null][] = [
  [150, (path) => fs.rmSync(path), null],
  [
    151,
    (path) => fs.writeFileSync(path, 'a longer one than it was'.repeat(200)),
    'a longer one than it was'.repeat(200),
  ],
  [200, (path) => fs.writeFileSync(path, 'x'), 'x'],
  [250, (path) => fs.writeFileSync(path, Buffer.alloc(100_000, 'y')), 'y'.repeat(100_000)],
  [
    300,
    (path) => {
      fs.rmSync(path);
      fs.symlinkSync(name(0), path);
    },
    null,
  ],
  [399, (path) => fs.rmSync(path), null],
];

/** Counts the runs of answers. Whatever was answered by one stands in the window once more, for a moment. */
function countRuns(t: Test): { count: number; answeredTwice: number } {
  const runs = { count: 0, answeredTwice: 0 };
  const { next } = AnswerRuns.prototype;
  t.teardown(() => {
    AnswerRuns.prototype.next = next;
  });
  AnswerRuns.prototype.next = function (this: AnswerRuns) {
    const { connection, ndxIn } = (this as unknown as { session: Session }).session;
    const { reader } = connection;
    const [pos, last] = [reader.pos, ndxIn.positive];
    const segment = next.call(this);
    if (segment === null) return null;
    runs.count++;
    const [posAfter, lastAfter] = [reader.pos, ndxIn.positive];
    reader.pos = pos;
    ndxIn.positive = last;
    if (next.call(this) !== null) runs.answeredTwice++;
    reader.pos = posAfter;
    ndxIn.positive = lastAfter;
    return segment;
  };
  return runs;
}

const WAYS = [
  { way: RSYNC, extra: [] },
  { way: RSYNC, extra: ['-z'] },
  { way: TSRSYNC, extra: [] },
  { way: TSRSYNC, extra: ['-z'] },
  { way: null, extra: [] },
  { way: null, extra: ['-z'] },
];
for (const { way, extra } of WAYS) {
  t.test(
    `${way === null ? 'a local copy' : `to ${way.name}`} ${extra}: files that change after they were listed`,
    async (t) => {
      const dir = tempDir(t);
      const [source, copy] = [join(dir, 'source'), join(dir, 'copy')];
      for (const made of [source, copy]) fs.mkdirSync(made);
      for (let i = 0; i < COUNT; i++) fs.writeFileSync(join(source, name(i)), content(i));
      let target = `${copy}/`;
      if (way !== null) {
        const modules = { m: { path: copy, 'read only': 'no' } };
        target = (await startDaemon(t, way, { dir: join(dir, 'daemon'), modules })).url('m/');
      }
      const runs = countRuns(t);
      const { options } = parseCommand(['-lptgo', ...extra, '--out-format=%i %n', `${source}/`, target], {});
      const lines: string[] = [];
      const log = new SessionLog({ client: (line: string) => lines.push(line.trimEnd()) } as unknown as SessionLog);
      const run = (await prepareClient(options, log))!;
      const names = async function* () {
        for (let i = 0; i < COUNT; i++) yield name(i);
        for (const [i, change] of CHANGES) change(join(source, name(i)));
      };
      const code = await run.finish({ sources: [source], names: names() });

      t.ok(runs.count > 0 && runs.count < 40, `${runs.count} runs`);
      t.equal(runs.answeredTwice, 0, 'what was sent is not answered in a run again');
      t.equal(code, 23, 'a link in the place of a file is an error, what has vanished alone would be 24');
      t.match(log.text, `file has vanished: "${join(source, name(150))}"`);
      t.match(log.text, `file has vanished: "${join(source, name(399))}"`);
      t.match(
        log.text,
        `send_files failed to open "${join(source, name(300))}": Too many levels of symbolic links (40)`,
      );
      t.equal(log.complaints.length, 3);
      const changed = new Map(CHANGES.map(([i, , arrives]) => [i, arrives]));
      for (let i = 0; i < COUNT; i++) {
        const arrives = changed.has(i) ? changed.get(i)! : content(i);
        const path = join(copy, name(i));
        const has = fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : null;
        if (has !== arrives) t.fail(`${name(i)} has ${has?.length} bytes`);
      }
      const { stats } = run.session;
      const sent = [...Array(COUNT).keys()].filter((i) => changed.get(i) !== null);
      t.strictSame(
        lines,
        sent.map((i) => `${way === null ? '>' : '<'}f+++++++++ ${name(i)}`),
      );
      t.equal(stats.created.reg, COUNT);
      t.equal(stats.transferredFiles, COUNT, 'as rsync counts: asked for');
      t.equal(
        stats.literal,
        sent.reduce((sum, i) => sum + (changed.get(i) ?? content(i)).length, 0),
      );
    },
  );
}

t.test('a run ends in front of what the peer must not ask for', async (t) => {
  // The far end of a pull is ours: rsync asks in an order of its own, with some of the files there already.
  const dir = tempDir(t);
  const [source, copy] = [join(dir, 'source'), join(dir, 'copy')];
  for (const made of [source, copy]) fs.mkdirSync(made);
  for (let i = 0; i < COUNT; i++) {
    fs.mkdirSync(join(source, `d${i % 7}`), { recursive: true });
    fs.writeFileSync(join(source, `d${i % 7}`, name(i)), content(i));
    if (i % 3 !== 0) continue;
    fs.mkdirSync(join(copy, `d${i % 7}`), { recursive: true });
    fs.writeFileSync(join(copy, `d${i % 7}`, name(i)), `old ${content(i)}`);
  }
  const modules = { m: { path: source } };
  const daemon = await startDaemon(t, TSRSYNC, { dir: join(dir, 'daemon'), modules });
  for (const extra of [[], ['--no-inc-recursive'], ['--whole-file'], ['--checksum-choice=md5']]) {
    const into = join(dir, `to${extra.join('')}`);
    fs.cpSync(copy, into, { recursive: true });
    const { status, stderr } = spawnSync(RSYNC.command, [
      ...RSYNC.prefix,
      '-a',
      ...extra,
      daemon.url('m/'),
      `${into}/`,
    ]);
    t.equal(status, 0, String(stderr));
    t.equal(
      spawnSync('diff', ['-r', source, into]).status,
      0,
      `as the source is, with ${extra.join(' ') || 'nothing'}`,
    );
  }
});
