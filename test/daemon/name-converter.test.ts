import { chownSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { MARK, marked, newMark } from '../lib/processes.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

t.setTimeout(200_000);

const skip = process.getuid?.() === 0 ? false : 'needs root, to give files away';

/** Knows two names that no system has, and says nonsense to a third. */
const CONVERTER = `echo "about $RSYNC_REQUEST" >> "$ASKED"
while read -r kind name; do
  echo "$kind $name" >> "$ASKED"
  case "$kind $name" in
    'usr alice') echo 40001 ;;
    'grp crew') echo 40002 ;;
    'uid 40001') echo alice ;;
    'gid 40002') echo crew ;;
    'usr daemon') echo 4294967296 ;;
    'grp daemon') echo -1 ;;
    *) echo ;;
  esac
done
echo over >> "$ASKED"
`;

async function place(t: Test, server: Program, converter: string) {
  const dir = tempDir(t);
  for (const name of ['src', 'module', 'copy']) mkdirSync(join(dir, name));
  for (const name of ['a', 'b']) writeFileSync(join(dir, 'src', name), name);
  chownSync(join(dir, 'src', 'a'), 1, 1);
  writeFileSync(join(dir, 'convert'), converter);
  const asked = join(dir, 'asked');
  const env = { ASKED: asked, GO: join(dir, 'go'), [MARK]: newMark() };
  const path = join(dir, 'module');
  const modules = {
    m: { path, 'read only': 'no', 'name converter': `sh ${dir}/convert`, 'post-xfer exec': 'echo post >> "$ASKED"' },
    other: { path },
  };
  const daemon = await startDaemon(t, server, { dir: join(dir, 'daemon'), modules, env });
  const ownersOf = (folder: string) =>
    ['a', 'b'].map((name) => {
      const { uid, gid } = lstatSync(join(dir, folder, name));
      return `${uid}:${gid}`;
    });
  const said = async () => {
    const text = () => (existsSync(asked) ? readFileSync(asked, 'latin1') : '');
    await waitFor(() => /^over$/m.test(text()) && /^post$/m.test(text()), 30_000, 'the converter to end');
    const lines = text().trimEnd().split('\n').sort();
    rmSync(asked);
    return lines;
  };
  return { dir, daemon, ownersOf, said, asked, mark: env[MARK], letGo: () => writeFileSync(env.GO, '') };
}

t.test('names come from the converter, as with rsync', { skip }, async (t) => {
  for (const server of [RSYNC, TSRSYNC]) {
    const { dir, daemon, ownersOf, said, mark } = await place(t, server, CONVERTER);
    for (const client of [RSYNC, TSRSYNC]) {
      const who = `${client.name} to ${server.name}`;
      const mapped = ['-a', '--usermap=1:alice', '--groupmap=1:crew'];
      t.equal((await runProgram(client, [...mapped, `${dir}/src/`, daemon.url('m/')])).code, 0, who);
      t.same(ownersOf('module'), ['40001:40002', '0:0'], `${who}: names of a map`);
      t.same(await said(), ['about m/', 'grp crew', 'over', 'post', 'usr alice']);
      t.equal((await runProgram(client, ['-a', daemon.url('m/'), `${dir}/copy/`, '--usermap=alice:1'])).code, 0, who);
      t.same(ownersOf('copy'), ['1:40002', '0:0'], `${who}: names that are sent`);
      t.same(await said(), ['about m/', 'gid 0', 'gid 40002', 'over', 'post', 'uid 0', 'uid 40001']);
      t.equal((await runProgram(client, ['-a', `${dir}/src/`, daemon.url('m/')])).code, 0, who);
      t.same(ownersOf('module'), ['1:1', '0:0'], `${who}: nonsense is no number`);
      t.same(await said(), ['about m/', 'grp daemon', 'over', 'post', 'usr daemon']);
    }
    await daemon.idle();
    t.notOk(marked(mark).some((line) => line.includes('convert')));
  }
});

t.test('a converter that takes its time holds its own connection only', { skip }, async (t) => {
  const slow = `read -r line; echo held >> "$ASKED"; while [ ! -e "$GO" ]; do sleep 0.02; done; echo; ${CONVERTER}`;
  const { dir, daemon, said, asked, letGo } = await place(t, TSRSYNC, slow);
  // As many as could be served by workers that each have several connections.
  const held = Array.from({ length: Math.min(availableParallelism(), 4) }, (_, i) =>
    runProgram(RSYNC, ['-a', `${dir}/src/`, daemon.url(`m/${i}/`)]),
  );
  const areHeld = () => existsSync(asked) && readFileSync(asked, 'latin1').split('held').length > held.length;
  await waitFor(areHeld, 30_000, 'all to ask for a name');
  for (let i = 0; i < 3; i++) t.equal((await runProgram(RSYNC, ['-a', daemon.url('other/'), `${dir}/copy/`])).code, 0);
  letGo();
  for (const one of held) t.equal((await one).code, 0);
  t.ok((await said()).includes('about m/0/'));
});

for (const converter of ['exit 1', 'read line; exit 1', '/no/such/command']) {
  t.test(`a converter that ends knows no names: ${converter}`, { skip }, async (t) => {
    const { dir, daemon, ownersOf } = await place(t, TSRSYNC, converter);
    t.equal((await runProgram(RSYNC, ['-a', `${dir}/src/`, daemon.url('m/')])).code, 0);
    t.same(ownersOf('module'), ['1:1', '0:0']);
    await daemon.idle();
  });
}
