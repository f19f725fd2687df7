import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { expandCommand } from '../../src/daemon/hooks/command.js';
import { type HookRun, runHook } from '../../src/daemon/hooks/process.js';

const REFUSED = { exitCode: 4, message: 'refusing to run shell hook: %RSYNC_USER_NAME% holds a shell metacharacter' };

t.test('quotes go by the place of the reference', async (t) => {
  const env = { RSYNC_USER_NAME: 'joe', OWN: '$(x) y' };
  for (const [text, expected] of [
    ['a %RSYNC_USER_NAME%', "a 'joe'"],
    ["a '%RSYNC_USER_NAME%'", "a 'joe'"],
    ['a "%RSYNC_USER_NAME%"', `a "'joe'"`],
    [`"it's %RSYNC_USER_NAME%"`, `"it's 'joe'"`],
    [`'a"' %RSYNC_USER_NAME%`, `'a"' 'joe'`],
    [`\\' %RSYNC_USER_NAME%`, `\\' 'joe'`],
    [`"\\"" '%RSYNC_USER_NAME%'`, `"\\"" 'joe'`],
    ['%OWN% %NONE% %% %RSYNC_USER_NAME 100%', '$(x) y %NONE% %% %RSYNC_USER_NAME 100%'],
  ]) {
    t.equal(expandCommand(text, env), expected, text);
  }
  for (const char of '\'"`$\\;&|<>()*?[]# !~{}\n\t\x01\x7f') {
    t.throws(() => expandCommand('%RSYNC_USER_NAME%', { RSYNC_USER_NAME: `a${char}` }), REFUSED, JSON.stringify(char));
  }
});

t.test('whatever a client calls itself, a shell gets that word or nothing', async () => {
  const forms = ['%RSYNC_USER_NAME%', "'%RSYNC_USER_NAME%'", "a'b'%RSYNC_USER_NAME%", '%RSYNC_USER_NAME%"c"'];
  const words = (line: string) => execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'latin1' });
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 12 }), fc.constantFrom(...forms), (user, form) => {
      let line: string;
      try {
        line = expandCommand(form, { RSYNC_USER_NAME: user });
      } catch {
        return true;
      }
      return words(line) === `${form.replaceAll(/['"]/g, '').replace('%RSYNC_USER_NAME%', () => user)}\0`;
    }),
    { numRuns: 150 },
  );
});

function hook(more: Partial<HookRun>): HookRun {
  const env = { PATH: process.env.PATH as string };
  return { command: 'true', env, input: Buffer.alloc(0), keeps: true, output: 'ignore', complain: () => {}, ...more };
}

t.test('a hook is run as a shell runs it', async (t) => {
  t.same(await runHook(hook({ command: 'exit 3', keeps: false })), { status: 768, output: '' });
  t.same(await runHook(hook({ command: 'kill -9 $$', keeps: false })), { status: 9, output: '' });
  t.same(await runHook(hook({ command: "printf 'a\\r\\nb\\rc\\n' > /dev/stdout" })), {
    status: 0,
    output: 'a\nb\rc\n',
  });
  const piped = hook({ command: 'test "$(cat < /dev/stdin)" = secret', input: Buffer.from('secret\n'), keeps: false });
  t.same(await runHook(piped), { status: 0, output: '' });
  t.equal((await runHook({ ...piped, command: 'exec < /dev/null; exit 7' })).status, 7 << 8, 'its input is not read');
  const flood = await runHook(hook({ command: 'yes' }));
  t.equal(flood.output.length, 5119);
  t.not(flood.status, 0, 'one that floods finds that nobody reads');
});

t.test('bytes that are no text come as they are', async (t) => {
  const env = { PATH: process.env.PATH as string, A: 'caf\xe9\n\n', B: '\xc3\xa9', C: "\\0101 '$(exit 9)'" };
  const command = 'printf "%s|%s|%s|\xff\\\\" "$A" "$B" "$C"; env | grep -ac _tsrsync';
  const { output } = await runHook(hook({ command, env }));
  t.equal(output, `caf\xe9\n\n|\xc3\xa9|\\0101 '$(exit 9)'|\xff\\0\n`);
});

t.test('an environment that is too large, a shell that is missing', async (t) => {
  const told: string[] = [];
  const complain = (text: string) => told.push(text);
  const env = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`RSYNC_ARG${i}`, 'x'.repeat(5000)]));
  t.equal((await runHook(hook({ env, complain }))).status, 127 << 8);
  t.equal((await runHook(hook({ env: { RSYNC_SHELL: '/none' }, keeps: false, complain }))).status, 127 << 8);
  t.match(told, [/Argument list too long \(7\)/, /No such file or directory \(2\)/]);
});
