import t from 'tap';
import { parseCommand } from '../../src/cli/options.js';
import { parseTarget, planJob } from '../../src/client/target.js';

const shell = (host: string, path: string, user: string | null = null) => ({ kind: 'shell', host, user, path });
const daemon = (host: string, path: string, port = 0, user: string | null = null) => {
  return { kind: 'daemon', host, user, port, module: path.split('/')[0], path };
};
const local = (path: string) => ({ kind: 'local', path });

t.test('targets', async (test) => {
  const cases: Array<[string, object]> = [
    ['host:path', shell('host', 'path')],
    ['user@host:/p:q', shell('host', '/p:q', 'user')],
    ['a@b@host:x', shell('host', 'x', 'a@b')],
    [':x', shell('', 'x')],
    ['host:', shell('host', '')],
    ['[::1]:x', shell('::1', 'x')],
    ['u@[fe80::1%eth0]:x', shell('fe80::1%eth0', 'x', 'u')],
    ['host::mod/a/b', daemon('host', 'mod/a/b')],
    ['u@host::mod', daemon('host', 'mod', 0, 'u')],
    ['host::', daemon('host', '')],
    ['[::1]::m', daemon('::1', 'm')],
    ['::m', daemon('', 'm')],
    ['rsync://host/mod/x', daemon('host', 'mod/x')],
    ['RSYNC://u@host:8730/mod', daemon('host', 'mod', 8730, 'u')],
    ['rsync://host', daemon('host', '')],
    ['rsync://host:', daemon('host', '')],
    ['rsync://[::1]:77/m', daemon('::1', 'm', 77)],
    ['rsync://u@[::1]/m', daemon('::1', 'm', 0, 'u')],
    ['rsync://host:12x/m', shell('rsync', '//host:12x/m')],
    ['./a:b', local('./a:b')],
    ['a/b:c', local('a/b:c')],
    ['plain', local('plain')],
    ['', local('')],
    ['[::1', local('[::1')],
    ['[]:x', local('[]:x')],
    ['[a]b:x', local('[a]b:x')],
    ['a[b]:x', local('a[b]:x')],
    ['h\xff:\xfe', shell('h\xff', '\xfe')],
  ];
  for (const [arg, target] of cases) test.same(parseTarget(arg), target, arg);
});

const plan = (...args: string[]) => planJob(parseCommand(args, {}).options);

t.test('jobs', async (test) => {
  test.match(plan('a', 'b', 'c'), {
    direction: 'local',
    sources: [local('a'), local('b')],
    dest: local('c'),
    remote: null,
  });
  test.match(plan('a', ''), { direction: 'local', dest: local('.') });
  test.match(plan('a'), { direction: 'list', sources: [local('a')], dest: null, remote: null });
  test.match(plan('a', 'h:'), { direction: 'push', remote: shell('h', ''), remotePaths: ['.'] });
  test.match(plan('h:x', ':y', 'h:', 'd'), { direction: 'pull', remotePaths: ['x', 'y', '.'], dest: local('d') });
  test.match(plan('h:x', ':y').sources, [shell('h', 'x'), shell('h', 'y')]);
  test.match(plan('h:x', ':y'), { direction: 'list' });
  test.match(plan('h::m/a', '::m/b', 'd'), { direction: 'pull', remotePaths: ['m/a', 'm/b'], daemonOverShell: false });
  test.match(plan('h::'), { direction: 'list', listModules: true });
  test.match(plan('rsync://h/'), { direction: 'list', listModules: true });
  test.match(plan('h::m'), { direction: 'list', listModules: false });
  test.match(plan('-e', 'sh', 'a', 'h::m'), { direction: 'push', daemonOverShell: true });
  const byEnvironment = parseCommand(['a', 'h::m'], { RSYNC_RSH: 'sh' }).options;
  test.match(byEnvironment, { rsh: 'sh' });
  test.match(planJob(byEnvironment), { daemonOverShell: false }, 'RSYNC_RSH is for host: only');
  test.match(plan('--files-from=:l', 'h:b', 'd'), { filesFromRemote: 'l' });
  test.match(plan('--files-from=h:l', 'b', 'h:d'), { filesFromRemote: 'l', direction: 'push' });
  test.match(plan('--files-from=-', 'b', 'h:d'), { filesFromRemote: '' });
  test.match(plan('--port=77', 'a::b', 'rsync://a:77/x', 'd'), { direction: 'pull' }, '--port is the port of ::');
});

t.test('a daemon through the shell wants a module, too', async (test) => {
  // The real client forks its shell before it looks, so its output is not always the same.
  test.throws(() => plan('-e', 'sh', 'h::/abs', 'd'), {
    exitCode: 5,
    role: 'Receiver',
    message: 'ERROR: The remote path must start with a module name',
  });
});
