import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { EXIT_TEXT, RsyncError } from '../../protocol/errors.js';
import { OPTION_ROWS } from '../../src/cli/option-table.js';
import { parseCommand, parseServerArgs } from '../../src/cli/options.js';
import { planJob } from '../../src/client/target.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/** Lines that rsync refuses, and refuses before it talks to anyone. */
const REFUSED = `
--foo src d
--foo=bar src d
-Zab src d
-aZb src d
--timeout=abc src d
--timeout abc src d
--timeout=99999999999 src d
--timeout=0x src d
--timeout=1_ src d
--max-delete=5k src d
--verbose=3 src d
-v=3 src d
--no-v=1 src d
--recursive=1 src d
--no-foo src d
--ver src d
--recurs src d
src d -e
src d --rsh
src d --exclude
-M foo src d
-B 1x src d
-Babc src d
-B -5 src d
--block-size=200000 src d
--block-size=1g src d
--protocol=29 --block-size=1g src d
--max-size=5x src d
--max-size=k5 src d
--max-size=5kk src d
--max-size=+1 src d
--max-size=5ki src d
--max-size=-1 src d
--max-size=99999p src d
--min-size=0-1 src d
--min-size=5+2 src d
--bwlimit=1b src d
--bwlimit=0.1 src d
--bwlimit=x src d
--max-alloc=1k src d
--max-alloc=foo src d
--chmod=zz src d
--chmod=DF7 src d
--chmod=77777 src d
--chmod=u=rw, src d
--chmod= src d
--chmod=ug+7 src d
--chmod=u=gr src d
--info=foo3 src d
--info=name,bar src d
--info=3 src d
--info=constructor src d
--debug=nope src d
--zc=foo src d
--cc=foo src d
--cc=foo,md5 src d
--cc=md5,foo src d
--cc= src d
--outbuf=x src d
--outbuf= src d
--stderr=x src d
--stderr= src d
--stop-after=0 src d
--stop-after=x src d
--stop-at=2001-01-01 src d
--stop-at=x src d
--stop-at=1:2:3 src d
--stop-at=T5 src d
--stop-at=25:00 src d
--append -W src d
--append --whole-file src d
--append --cc=none src d
--inplace --partial-dir=x src d
--inplace --delay-updates src d
--append --delay-updates src d
--append-verify --partial-dir=x src d
--delete src d
--delete-excluded src d
--delete-before --delete-after -r src d
--del --delete-before -r src d
-d --delete-delay --delete-after src d
--old-args -s src d
--suffix=a/b -b src d
--suffix=a/b src d
-b --suffix= src d
--suffix= src d
-b --backup-dir=. src d
-b --backup-dir=./ --suffix= src d
--link-dest=a --copy-dest=b src d
--compare-dest=a --link-dest=b src d
--usermap=a:b --usermap=a:b src d
--usermap=a:b --chown=x src d
--groupmap=a:b --chown=:x src d
--chown=x --chown=y src d
--chown=:x --chown=:y src d
--chown=x --usermap=a:b src d
--chown=:x --groupmap=a:b src d
--fake-super -XX src d
--write-batch=x --read-batch=y d
--read-batch=x --files-from=src d
--read-batch=x --remove-source-files d
--read-batch=x --remove-sent-files d
--confine-root=x src d
--crtimes src d
-aN src d
--confine-root=/x --insecure-links src d
--files-from=h:- src h:d
--daemon --foo
--daemon --address
--daemon --port=x
--config=x
--no-detach
--dparam=x --daemon
-v src d --detach
h:x g:d
h:x g::d
src b:c d:e
src rsync://b/c d
a:b c d
a:b d:e f
a::b :c f
a:b ::c f
a::b rsync://a:77/x f
rsync://a:77/x rsync://a:78/x f
u@a:b a:c f
--files-from=h:x src d
--files-from=h:x src g:d
--files-from=h:x g:src d
localhost::/abs d
rsync://localhost:1//abs d
src localhost::/abs
--password-file=x src h:d
--password-file=x src d
--contimeout=3 src h:d
--contimeout=3 src d
--contimeout=3 -e cat src h::d
src -- -h:x
a@-b:c d
`;

t.test('messages and exit codes of bad command lines', async (test) => {
  const cwd = tempDir(test);
  mkdirSync(join(cwd, 'src'));
  writeFileSync(join(cwd, 'src/a'), '');
  const lines = REFUSED.trim()
    .split('\n')
    .map((line) => line.split(' '));
  for (const args of [...lines, ['', 'd'], ['src', '', 'd'], ['-e', 'cat', '--', '--x', 'h:y', 'h:z']]) {
    const real = await run('rsync', ['-n', ...args], { cwd });
    let code = 0;
    let text = '';
    try {
      const { options, kind } = parseCommand(['-n', ...args], {});
      if (kind === 'transfer') planJob(options);
    } catch (e) {
      if (!(e instanceof RsyncError)) throw e;
      code = e.exitCode;
      text = `${e.message}\nrsync error: ${EXIT_TEXT[code]} (code ${code})`;
    }
    test.equal(text, real.stderr.replace(/ at \w+\.c\(\d+\) \[.*\n?/, ''), args.join(' '));
    test.equal(code, real.code, `exit code of ${args.join(' ')}`);
  }
});

t.test('a command line without sources gets the help', async (test) => {
  for (const args of [
    [],
    ['-a'],
    ['--files-from=x', 'src'],
    ['--files-from=x', 'a', 'b', 'c'],
    ['--sender', 'a', 'b'],
  ]) {
    test.throws(() => parseCommand(args, {}), { exitCode: 1, message: /^tsrsync.*Usage: /s }, args.join(' '));
    const real = await run('rsync', args);
    test.equal(real.code, 1, `the real one, too: ${args.join(' ')}`);
  }
});

t.test('whatever a peer says, the answer is options or an error with a code', async (test) => {
  const names = OPTION_ROWS.flatMap((row) => [`--${row.long}`, `-${row.short}`, `--${row.long}=`]);
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('1', '-1', '9'.repeat(400), '1k-1', 'a:b', 'all', '0x', '.', '..', '%%i'),
  );
  const word = fc.oneof(
    fc.constantFrom(...names),
    fc.tuple(fc.constantFrom(...names), value).map(([n, v]) => n + v),
    value,
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.boolean(), (words, isDaemon) => {
      const attempts = [
        () => parseServerArgs(['--server', ...words], { isDaemon }),
        () => planJob(parseCommand([...words, 'a'], {}).options),
      ];
      for (const attempt of attempts) {
        try {
          attempt();
        } catch (e) {
          if (!(e instanceof RsyncError) || e.exitCode === 0) throw e;
        }
      }
    }),
    { numRuns: 3000 },
  );
  test.pass('3000 command lines');
});
