import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { holds, live, scene, startService } from './support.js';

t.test('two targets, a hook, pause and resume, SIGTERM', async (t) => {
  const s = await scene(t, ['m1', 'm2'], ['joe:secret']);
  writeFileSync(join(s.dir, 'pw'), 'secret\n', { mode: 0o600 });
  const out = join(s.dir, 'hook.out');
  s.configure(`options = -a --delete
total sessions = 1
[sync web]
source = ${s.source}/
user = joe
password file = ${s.dir}/pw
[target one]
to = ${s.daemon.url('m1')}
[target two]
to = ${s.daemon.url('m2')}
[hook list]
command = cat >> ${out}
only target = one
match = *.php
`);
  const service = await startService(t, s);
  await holds(s.at('m1', 'first'), 'first\n');
  await holds(s.at('m2', 'first'), 'first\n');
  writeFileSync(join(s.source, 'a.php'), '1');
  writeFileSync(join(s.source, 'b.txt'), '2');
  await holds(s.at('m1', 'a.php'), '1');
  await holds(s.at('m2', 'b.txt'), '2');
  await holds(out, 'a.php\n');

  t.equal((await live(['pause', 'web', 'two', '-c', s.conf])).code, 0);
  rmSync(join(s.source, 'b.txt'));
  await holds(s.at('m1', 'b.txt'), null);
  const table = (await live(['status', '-c', s.conf])).stdout;
  t.match(table, /^web +one +in step/m);
  t.match(table, /^web +two +paused +\S+s +1 /m);
  t.ok(existsSync(s.at('m2', 'b.txt')));
  t.equal((await live(['resume', '-c', s.conf])).code, 0);
  await holds(s.at('m2', 'b.txt'), null);

  rmSync(s.at('m1', 'first'));
  t.equal((await live(['resync', 'web', 'one', '-c', s.conf])).code, 0);
  await holds(s.at('m1', 'first'), 'first\n');
  t.match(await live(['resync', 'wrong', '-c', s.conf]), { code: 1, stderr: /there is no sync wrong/ });
  t.match(readFileSync(join(s.dir, 'status.file'), 'utf8'), /^Lsyncd status report.*web source=/s);

  const seen = [
    s.log(),
    JSON.stringify(await service.status()),
    readFileSync(`/proc/${service.child.pid}/cmdline`, 'utf8'),
  ];
  for (const text of seen) t.notMatch(text, 'secret');
  writeFileSync(join(s.source, 'last'), 'last\n');
  t.equal(await service.end(), 0);
  t.equal(readFileSync(s.at('m1', 'last'), 'utf8'), 'last\n', 'it was sent before the end');
  t.equal(readFileSync(s.at('m2', 'last'), 'utf8'), 'last\n');
  t.match(s.log(), /SIGTERM: ending.* ended, nothing was left\n$/s);
  for (const name of ['pid.file', 'status.socket']) t.equal(existsSync(join(s.dir, name)), false, name);
});

t.test('SIGHUP: changed syncs begin anew, others go on, mistakes change nothing', async (t) => {
  const s = await scene(t, ['m1', 'm2']);
  const first = `[sync one]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m1')}\noptions = -a\n`;
  s.configure(first);
  const service = await startService(t, s);
  await holds(s.at('m1', 'first'), 'first\n');
  const { started } = (await service.status()).syncs[0];
  renameSync(join(s.dir, 'log.file'), join(s.dir, 'log.old'));
  s.configure(
    `${first}full resync = 30 3 * * *\n[sync two]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m2')}\noptions = -a\n`,
  );
  service.child.kill('SIGHUP');
  await holds(s.at('m2', 'first'), 'first\n');
  t.match(s.log(), /SIGHUP: reading the configuration again/, 'in a new log file');
  const [one, two] = (await service.status()).syncs;
  t.equal(one.started, started, 'the same mirror');
  t.type(one.nextResync, 'number', 'with its new schedule');
  t.equal(two.name, 'two');

  s.configure('[sync one]\nsorce = x\n');
  service.child.kill('SIGHUP');
  await waitFor(() => s.log().includes('the configuration stays as it was'), 20_000, 'the complaint');
  t.match(s.log(), /live\.ini:\d+: "sorce" is no key/);
  writeFileSync(join(s.source, 'second'), '2');
  await holds(s.at('m1', 'second'), '2');

  s.configure(first.replace('-a', '-a --exclude=third'));
  service.child.kill('SIGHUP');
  await waitFor(() => /two: ended/.test(s.log()) && /one: begins anew/.test(s.log()), 20_000, 'the change');
  writeFileSync(join(s.source, 'third'), '3');
  writeFileSync(join(s.source, 'fourth'), '4');
  await holds(s.at('m1', 'fourth'), '4');
  t.equal(existsSync(s.at('m1', 'third')), false);
  t.equal(existsSync(s.at('m2', 'fourth')), false);
  t.equal(await service.end(), 0);
});

t.test('a source that comes later, a target that comes later', async (t) => {
  const s = await scene(t, ['m1', 'm2']);
  const { port } = s.daemon;
  const late = join(s.dir, 'late');
  s.configure(`[sync one]\nsource = ${late}/\ntarget = ${s.daemon.url('m1')}\noptions = -a
[sync two]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m2')}\noptions = -a\n`);
  await s.daemon.stop();
  const service = await startService(t, s);
  await waitFor(() => /one: source .*late\/: No such file/.test(s.log()), 20_000, 'the source to be missed');
  await waitFor(async () => (await service.status()).syncs[1].targets[0].attempts > 1, 20_000, 'two attempts');
  t.match((await live(['status', '-c', s.conf])).stdout, /^two .*waiting to retry.*Connection refused/ms);
  mkdirSync(late);
  writeFileSync(join(late, 'x'), 'x');
  const again = await startDaemon(t, RSYNC, {
    dir: join(s.dir, 'daemon'),
    modules: Object.fromEntries(['m1', 'm2'].map((m) => [m, { path: join(s.dir, m), 'read only': 'no' }])),
    port,
  });
  t.equal(again.port, port);
  await holds(s.at('m1', 'x'), 'x');
  await holds(s.at('m2', 'first'), 'first\n');
  t.equal(await service.end('SIGINT'), 0);
});

t.test('--check and --once', async (t) => {
  const s = await scene(t, ['m1']);
  s.configure(`[sync one]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m1')}\noptions = -a\n`);
  t.match(await live(['-c', s.conf, '--check']), {
    code: 0,
    stderr: '',
    stdout: /^\[sync one\]\nsource = .*^sessions = 1$/ms,
  });
  t.match(await live(['-c', s.conf, '--once']), { code: 0, stderr: /one: 127\.0\.0\.1: in step after/ });
  t.equal(readFileSync(s.at('m1', 'first'), 'utf8'), 'first\n');
  s.configure(`[sync one]\nsource = ${s.source}/\noptions = -a\ntarget = ${s.daemon.url('m1')}
target = ${s.daemon.url('nowhere')}\ntarget = /proc/none/x/y\n`);
  t.match(await live(['-c', s.conf, '--once']), { code: 5, stderr: /Unknown module 'nowhere'/ });
  s.configure(`[sync one]\nsource = /none/\ntarget = ${s.daemon.url('m1')}\noptions = --bogus\n`);
  t.match(await live(['-c', s.conf, '--check']), {
    code: 1,
    stderr: /source \/none\/: No such file.*--bogus: unknown option/s,
  });
  t.match(await live(['-c', s.conf]), { code: 1, stderr: /--bogus: unknown option/ });
  t.match(await live(['-c', '/none']), { code: 1, stderr: '/none: No such file or directory (2)\n' });
  t.match(await live([]), { code: 1, stderr: /a configuration is needed: -c FILE/ });
  t.match(await live(['-c', s.conf, '--wrong']), { code: 1, stderr: /Unknown argument: wrong/ });
  t.match(await live(['status', '--socket', join(s.dir, 'none')]), { code: 1, stderr: /is the service running\?/ });
});

t.test('systemd is told, and a port that is taken ends the start', async (t) => {
  const s = await scene(t, ['m1']);
  const name = join(s.dir, 'notify');
  const script = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('${name}')
while True: print(s.recv(4096), flush=True)`;
  const manager = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => manager.kill());
  let told = '';
  manager.stdout.on('data', (chunk) => {
    told += chunk;
  });
  await waitFor(() => existsSync(name), 10_000, 'the manager to listen');
  s.configure(`[sync one]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m1')}\noptions = -a\n`);
  const service = await startService(t, s, { env: { NOTIFY_SOCKET: name } });
  await waitFor(() => told.includes('READY=1'), 10_000, 'systemd to be told');
  t.equal(await service.end(), 0);
  await waitFor(() => told.includes('STOPPING=1'), 10_000, 'systemd to be told');

  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  s.configure(`http = ${(taken.address() as AddressInfo).port}\n[sync one]\nsource = ${s.source}/\ntarget = /x\n`);
  t.match(await live(['-c', s.conf]), { code: 11, stderr: /^http port 127\.0\.0\.1:\d+: Address already in use/ });
  for (const left of ['pid.file', 'status.socket']) t.equal(existsSync(join(s.dir, left)), false, left);
});

t.test('--detach', async (t) => {
  const s = await scene(t, ['m1']);
  s.configure(`[sync one]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m1')}\noptions = -a\n`);
  t.same(await live(['-c', s.conf, '--detach']).then(({ code, stderr }) => [code, stderr]), [0, '']);
  const pid = Number(readFileSync(join(s.dir, 'pid.file'), 'utf8'));
  t.teardown(() => {
    if (existsSync(join(s.dir, 'pid.file'))) process.kill(pid, 'SIGKILL');
  });
  await holds(s.at('m1', 'first'), 'first\n');
  t.match(await live(['-c', s.conf, '-d']), { code: 11, stderr: /failed to lock pid file/ });
  process.kill(pid, 'SIGTERM');
  await waitFor(() => !existsSync(join(s.dir, 'pid.file')), 20_000, 'the service to end');
});

t.test('configurations of sersync and lsyncd run as they are', async (t) => {
  const s = await scene(t, ['m1', 'm2'], ['joe:secret']);
  const pw = join(tempDir(t), 'pw');
  writeFileSync(pw, 'secret\n', { mode: 0o600 });
  const { port } = s.daemon;
  const xml = join(s.dir, 'confxml.xml');
  writeFileSync(
    xml,
    `<?xml version="1.0" encoding="ISO-8859-1"?><head version="2.5"><filter start="true"><exclude expression="(.*)\\.svn"/></filter>
    <sersync><localpath watch="${s.source}"><remote ip="127.0.0.1" name="m1"/></localpath><rsync>
    <commonParams params="-artuz"/><auth start="true" users="joe" passwordfile="${pw}"/>
    <userDefinedPort start="true" port="${port}"/></rsync></sersync></head>`,
  );
  writeFileSync(join(s.source, 'x.svn'), '');
  t.match(await live(['-c', xml, '--once']), { code: 0 });
  t.equal(readFileSync(s.at('m1', 'first'), 'utf8'), 'first\n');
  t.equal(existsSync(s.at('m1', 'x.svn')), false);
  const lua = join(s.dir, 'lsyncd.conf');
  writeFileSync(
    lua,
    `settings { nodaemon = true }\nfor _, m in ipairs { "m2" } do sync { default.rsync, source = "${s.source}",
    target = "rsync://joe@127.0.0.1:${port}/" .. m, exclude = { "*.svn" }, rsync = { archive = true, password_file = "${pw}" } } end\n`,
  );
  t.match(await live(['-c', lua, '--once']), { code: 0 });
  t.equal(readFileSync(s.at('m2', 'first'), 'utf8'), 'first\n');
  t.match(await live(['import', lua]), { code: 0, stdout: /^source = .*src\/\ntarget = rsync:\/\/joe@/m });
  writeFileSync(lua, 'sync { default.rsync, source = ');
  t.match(await live(['import', lua]), { code: 1, stderr: /lsyncd\.conf:1: unexpected symbol/ });
});
