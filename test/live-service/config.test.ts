import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkConfig } from '../../src/live-service/config/check.js';
import { ConfigError } from '../../src/live-service/config/lines.js';
import { pathPattern } from '../../src/live-service/config/path-pattern.js';
import { printConfig } from '../../src/live-service/config/print.js';
import { readConfig } from '../../src/live-service/config/read.js';
import { joinWords, splitWords } from '../../src/live-service/config/words.js';
import { Change } from '../../src/watch/changes.js';
import { tempDir } from '../lib/temp.js';

const read = (text: string) => readConfig(text, 'live.ini', '/run/live.sock');

function problems(text: string): string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return [...error.problems];
    throw error;
  }
}

t.test('a whole configuration', async (t) => {
  const config = read(`
; first
log-file = /var/log/live.log   # and a comment
HTTP = 9873
total_sessions = 4
options = -az
exclude = *.tmp

[sync web]
source = /var/www/
target = web1::www
Full Resync = 30 3 * * *
full resync = every 6 h
resync exclude = cache/
settle = 20 ms
events = write, create delete
[target b]
to = rsync://b.example/www/x
options = --delete --exclude=#*# -e 'ssh -o "A;B"'
include = keep.tmp
user = joe
port = 8730
password file = /etc/pw
sessions = 3
[hook purge]
command = purge --all
match = *.php
match = /^img/.*[.]png$/i
[sync home]
source = "/home/ with space "
target = h:dir
port = 2222
`);
  t.equal(config.logFile, '/var/log/live.log');
  t.same(config.http, { host: '127.0.0.1', port: 9873 });
  t.equal(config.totalSessions, 4);
  t.equal(config.socket, '/run/live.sock');
  const [web, home] = config.syncs;
  t.same(web.spec.sources, ['/var/www/']);
  t.equal(web.spec.wanted, Change.WRITTEN | Change.MADE | Change.REMOVED);
  t.equal(web.spec.settleMs, 20);
  t.same(web.schedules, [
    { kind: 'cron', pattern: '30 3 * * *' },
    { kind: 'every', ms: 21_600_000 },
  ]);
  t.same(web.resyncOptions, ['--exclude=cache/']);
  t.same(web.spec.targets[0], {
    name: 'web1',
    dest: 'web1::www',
    options: ['-az', '--exclude=*.tmp'],
    password: null,
    maxSessions: 1,
  });
  t.same(web.spec.targets[1].dest, 'rsync://joe@b.example/www/x');
  t.same(web.spec.targets[1].options, [
    ...['-az', '--delete', '--exclude=#*#', '-e', 'ssh -o "A;B"'],
    ...['--include=keep.tmp', '--exclude=*.tmp', '--port=8730', '--password-file=/etc/pw'],
  ]);
  t.equal(web.spec.targets[1].maxSessions, 3);
  t.equal(web.hooks[0].match.length, 2);
  t.same(home.spec.sources, ['/home/ with space ']);
  t.same(home.spec.targets[0].options, ['-az', '--exclude=*.tmp', '--rsh=ssh -p 2222']);
  t.same(home.hooks, []);
});

t.test('what is printed reads back to the same', async (t) => {
  const config = read(
    '[sync a]\nsource = " /s#1 "\ntarget = h::m/d\nexclude = "# x"\noptions = -a --chmod=D755,F644\nfull resync = every 90 s\n' +
      '[hook h]\nurl = http://h/?token=secret\non = always\n[hook t]\ntcp = [::1]:99\nskip = /x;y/\n',
  );
  const printed = printConfig(config);
  t.notMatch(printed, 'secret');
  const again = read(printed.replace('token=***', 'token=secret'));
  t.same(JSON.stringify(again), JSON.stringify({ ...config, socketGiven: true }));
});

t.test('every mistake is told with its line and what is allowed', async (t) => {
  const bad: [string, RegExp][] = [
    ['[sync a]\nsorce = /x\n', /^live\.ini:2: "sorce" is no key in a sync section \(allowed: source, target, events/],
    ['detach = yes\n', /^live\.ini:1: "detach" is no key above the first section/],
    ['[sync a]\nhttp = 1\n', /^live\.ini:2: "http" is no key in a sync section/],
    ['[sync a]\nsettle = soon\n', /^live\.ini:2: settle: not a time: soon \(allowed: 500 ms/],
    ['[sync a]\nsettle = 1\nsettle = 2\n', /^live\.ini:3: "settle" is given a second time \(first in line 2\)/],
    ['[sync a]\nevents = write, read\n', /^live\.ini:2: events: not an event: read \(allowed: write, modify/],
    ['[sync a]\nfull resync = 99 * * * *\n', /^live\.ini:2: full resync: not a schedule/],
    ['[sync a]\ndelete guard = 101\n', /^live\.ini:2: delete guard: not a number from 0 to 100/],
    ['http = 0.0.0.0:80\n', /^live\.ini:1: http: not a port of this machine/],
    ['[sync a]\noptions = -a "x\n', /^live\.ini:2: options: no closing "/],
    ['[sync a b]\n', /^live\.ini:1: \[sync a b\]: a name has/],
    ['[target x]\n', /^live\.ini:1: \[target x\] must follow/],
    ['[server]\n', /^live\.ini:1: \[server\] is no section/],
    ['[sync a]\nnonsense\n', /^live\.ini:2: neither "key = value" nor/],
    ['[sync a]\n[sync a]\n', /\[sync a\] is there twice/],
    ['[hook h]\ncommand = a\nurl = http://b\n', /^live\.ini:1: \[hook h\] needs one of command, url, tcp/],
    ['[hook h]\nurl = http://u:p@b\n', /no login in the address/],
    ['[hook h]\ntcp = a:1\nseparator = nul\n', /^live\.ini:3: "separator" goes with "command"/],
    ['[hook h]\nmatch = /(/\n', /^live\.ini:2: match: Invalid regular expression/],
    ['', /no \[sync NAME\] section/],
  ];
  for (const [text, expected] of bad) {
    const told = problems(text);
    t.ok(
      told.some((problem) => expected.test(problem)),
      `${JSON.stringify(text)}: ${told.join('; ')}`,
    );
  }
  t.match(problems('[sync a]\nsource = /x\n').join(), /\[sync a\] has no target/);
  t.equal(problems('[sync a]\nx = 1\ny = 2\n').length, 4, 'all of them at once');
});

t.test('what can only be seen on the machine', async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'src'));
  const pw = join(dir, 'pw');
  writeFileSync(pw, 'secret\n');
  chmodSync(pw, 0o644);
  const check = (sync: string) => checkConfig(read(`[sync a]\nsource = ${dir}/src/\n${sync}`)).join('\n');
  t.equal(check('target = h::m\noptions = -a\n'), '');
  t.match(check(`target = h::m\npassword file = ${pw}\n`), /target h: password file .*must not be other-accessible/);
  chmodSync(pw, 0o600);
  t.equal(check(`target = h::m\npassword file = ${pw}\n`), '');
  t.match(check('target = h::m\npassword file = /none\n'), /\/none: No such file/);
  t.match(check('target = h::m\noptions = --bogus\n'), /--bogus: unknown option/);
  t.match(check('target = h::m\noptions = --iconv=utf8\nsource = /none\n'), /source \/none: No such file/);
  t.match(check(`target = ${dir}/src/below\n`), /lies in the source/);
  t.match(check('target = h::\n'), /no module/);
  t.match(check('target = h::m\nexclude from = /none\n'), /--exclude-from=\/none: no such file/);
});

t.test('words and path patterns', async (t) => {
  const lines: [string, string[]][] = [
    [`-a  '--exclude=a b' "x\\"y" z\\ z ''`, ['-a', '--exclude=a b', 'x"y', 'z z', '']],
    ["--rsh='ssh -p 22'", ['--rsh=ssh -p 22']],
  ];
  for (const [line, words] of lines) t.same(splitWords(line), words);
  const words = ['a b', "it's", '-az', '', '"', '\\', '--exclude=*.o', '\xff'];
  t.same(splitWords(joinWords(words)), words);
  const fits: [string, string, boolean][] = [
    ['*.php', 'a/b.php', true],
    ['*.php', 'a.php/b', true],
    ['*.php', 'a/b.phps', false],
    ['cache/', 'x/cache/y', true],
    ['/cache', 'x/cache', false],
    ['/cache', 'cache/a', true],
    ['a/*.c', 'x/a/b.c', true],
    ['a/**/z', 'x/a/b/c/z', true],
    ['/[.]png$/', 'x.png', true],
    ['/[.]PNG$/', 'x.png', false],
    ['/[.]PNG$/i', 'x.png', true],
  ];
  for (const [pattern, path, expected] of fits) {
    t.equal(pathPattern(pattern).matches(path), expected, `${pattern} ${path}`);
  }
});
