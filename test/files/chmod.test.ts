import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseChmod, tweakMode } from '../../src/files/chmod.js';
import { cleanEnv } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const RULES = [
  'u+x',
  'g-w',
  'o=',
  'a+rX',
  'ug=rw,o=r',
  'D755,F644',
  '700',
  'Dg+s',
  'a+s',
  'u+s',
  'g=s',
  '+t',
  '-t',
  '=r',
  '+w',
  '-x',
  'g=u',
  'o=g',
  'u-g',
  '+o',
  'a=u',
  'F-X',
  'Du=rwx,Dgo=rx',
  'go-rwx',
  'Fu=s',
  'ugo=rwxt',
  '7777',
  '0',
  'u=',
  'o+st',
  'gu=o',
];
const BAD = ['', 'u', '8', 'u+q', 'DF+x', 'u755', '77777', 'u+x,', 'u=rg', 'u=ug', '+x-w', 'x'];
const MODES = [0o644, 0o755, 0o600, 0o4755, 0o2750, 0o1777, 0o000, 0o421];

t.test('modes come out as rsync makes them', (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'src'));
  for (const mode of MODES) {
    writeFileSync(join(dir, `src/f${mode}`), '');
    mkdirSync(join(dir, `src/d${mode}`));
    chmodSync(join(dir, `src/f${mode}`), mode);
    chmodSync(join(dir, `src/d${mode}`), mode);
  }
  for (const rule of RULES) {
    const out = join(dir, 'out');
    const done = spawnSync('rsync', ['-rp', `--chmod=${rule}`, '--delete', `${dir}/src/`, `${out}/`], {
      encoding: 'latin1',
      env: cleanEnv(),
    });
    t.equal(done.status, 0, `${rule}: ${done.stderr}`);
    const rules = parseChmod(rule, process.umask());
    for (const mode of MODES) {
      for (const kind of ['f', 'd']) {
        const type = kind === 'd' ? 0o040000 : 0o100000;
        t.equal(
          tweakMode(type | mode, rules),
          statSync(join(out, kind + mode)).mode,
          `${rule} on ${kind} ${mode.toString(8)}`,
        );
      }
    }
  }
  t.end();
});

t.test('what rsync refuses is refused with its words', (t) => {
  for (const rule of BAD) {
    const said = spawnSync('rsync', ['-n', `--chmod=${rule}`, '/etc/hostname', '/tmp/x'], {
      encoding: 'latin1',
      env: cleanEnv(),
    });
    t.equal(said.status, 1, `rsync refuses ${rule}`);
    const expected = { exitCode: 1, message: said.stderr.split('\n')[0] };
    t.throws(() => parseChmod(rule, 0o22), expected, rule);
  }
  t.end();
});

t.test('several options add up in order', (t) => {
  const rules = [...parseChmod('F600', 0), ...parseChmod('g+r', 0)];
  t.equal(tweakMode(0o100777, rules), 0o100640);
  t.equal(tweakMode(0o040700, rules), 0o040740);
  t.end();
});
