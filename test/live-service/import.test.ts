import t from 'tap';
import { MIRROR_DEFAULTS } from '../../src/live/defaults.js';
import { checkConfig } from '../../src/live-service/config/check.js';
import { ConfigError } from '../../src/live-service/config/lines.js';
import { readConfig } from '../../src/live-service/config/read.js';
import { importText, kindOfConfig } from '../../src/live-service/import/import.js';
import { runLua } from '../../src/live-service/import/lua.js';
import { regexToPattern } from '../../src/live-service/import/sersync-filter.js';
import { Change } from '../../src/watch/changes.js';

async function imported(text: string) {
  const result = await importText(text, 'old.conf');
  return { text: result.text, config: readConfig(result.text, 'old.conf', '') };
}

const SERSYNC = (middle: string, filter = 'false', plugin = 'false') => `<?xml version="1.0" encoding="ISO-8859-1"?>
<head version="2.5">
    <host hostip="localhost" port="8008"></host>
    <debug start="false"/>           # stray text, as handbooks have it
    <fileSystem xfs="false"/>
    <filter start="${filter}">
        <exclude expression="(.*)\\.svn"></exclude>
        <exclude expression="^info/*"></exclude>
        <exclude expression="^(a|b)[0-9]+$"></exclude>
    </filter>
    <inotify>
        <delete start="true"/><createFolder start="true"/><createFile start="false"/><closeWrite start="true"/>
        <moveFrom start="true"/><moveTo start="true"/><attrib start="false"/><modify start="false"/>
    </inotify>
    <sersync>
        ${middle}
        <failLog path="/tmp/rsync_fail_log.sh" timeToExecute="60"/><!--default every 60mins execute once-->
        <crontab start="true" schedule="600"><!--600mins-->
            <crontabfilter start="true"><exclude expression="*.php"></exclude></crontabfilter>
        </crontab>
        <plugin start="${plugin}" name="command"/>
        <plugin start="${plugin}" name="socket"/>
        <plugin start="${plugin}" name="refreshCDN"/>
    </sersync>
    <plugin name="command">
        <param prefix="/bin/sh" suffix="--now" ignoreError="true"/>
        <filter start="true"><include expression="(.*)\\.php"/></filter>
    </plugin>
    <plugin name="socket"><localpath watch="/opt/tongbu"><deshost ip="192.168.138.20" port="8009"/></localpath></plugin>
    <plugin name="refreshCDN">
        <localpath watch="/data/www">
            <cdninfo domainname="ccms.chinacache.com" port="80" username="joe" passwd="hidden"/>
            <sendurl base="http://pic.xoyo.com/cms"/>
            <regexurl regex="false" match="x"/>
        </localpath>
    </plugin>
</head>`;

const REMOTES = `<localpath watch="/data/www">
  <remote ip="10.0.0.1" name="www"/>
  <!--<remote ip="10.0.0.9" name="tongbu"/>-->
  <remote ip="10.0.0.2" name="www"/>
</localpath>
<rsync>
  <commonParams params="-artuz"/>
  <auth start="true" users="rsync_backup" passwordfile="/etc/rsync.password"/>
  <userDefinedPort start="true" port="874"/><timeout start="true" time="100"/><ssh start="false"/>
</rsync>`;

t.test('sersync', async (t) => {
  const { text, config } = await imported(SERSYNC(REMOTES, 'true', 'true'));
  const [sync] = config.syncs;
  t.same(sync.spec.sources, ['/data/www/']);
  t.same(
    sync.spec.targets.map((target) => target.dest),
    ['rsync_backup@10.0.0.1::www', 'rsync_backup@10.0.0.2::www'],
  );
  t.same(sync.spec.targets[0].options, [
    ...['-artuz', '--delete', '--timeout=100', '--exclude=*.svn', '--exclude=/info/'],
    ...['--port=874', '--password-file=/etc/rsync.password'],
  ]);
  t.equal(sync.spec.wanted, Change.WRITTEN | Change.MADE | Change.REMOVED);
  t.same(sync.schedules, [{ kind: 'every', ms: 36_000_000 }]);
  t.same(sync.resyncOptions, ['--exclude=*.php']);
  t.match(text, /no equivalent for the regular expression \^\(a\|b\)\[0-9\]\+\$/);
  t.notMatch(text, 'hidden');
  const [command, socket, cdn] = sync.hooks;
  t.same(command.action, { kind: 'command', command: '/bin/sh {} --now', separator: '\n' });
  t.equal(command.match[0].matches('a/b.php'), true);
  t.equal(command.retries, 0);
  t.same(socket.action, { kind: 'tcp', host: '192.168.138.20', port: 8009 });
  t.match(text, /the plugin named \/opt\/tongbu/);
  t.match(cdn.action, { url: 'http://ccms.chinacache.com/', baseUrl: 'http://pic.xoyo.com/cms' });
});

t.test('sersync with ssh, switched off parts and mistakes', async (t) => {
  const shell = REMOTES.replace('ssh start="false"', 'ssh start="true"').replace('delete', 'x');
  const { config } = await imported(SERSYNC(shell).replace('<delete start="true"/>', '<delete start="false"/>'));
  const [target] = config.syncs[0].spec.targets;
  t.equal(target.dest, 'rsync_backup@10.0.0.1:www');
  t.same(target.options, ['-artuz', '--timeout=100', '--rsh=ssh -p 874']);
  t.same(config.syncs[0].hooks, []);
  await t.rejects(importText('<?xml version="1.0"?>\n<head><sersync></head>', 'x.xml'), /^x\.xml:2: /);
  await t.rejects(importText('<head/>', 'x.xml'), /not a sersync file/);
});

t.test('regular expressions of sersync as patterns', async (t) => {
  const known: [string, string | null][] = [
    ['(.*)\\.svn', '*.svn'],
    ['(.*)\\.gz', '*.gz'],
    ['^info/*', '/info/'],
    ['^static/*', '/static/'],
    ['^data/cache/(.*)', '/data/cache/'],
    ['(.*)\\.swp$', '*.swp'],
    ['(.*)~$', '*~'],
    ['(.*)/tmp/(.*)', 'tmp/'],
    ['^\\.(.*)', '/.*'],
    ['logs/*', 'logs/'],
    ['(a|b)', null],
    ['[0-9]+', null],
    ['.*', null],
  ];
  for (const [regex, pattern] of known) t.equal(regexToPattern(regex), pattern, regex);
});

const LSYNCD = `#!/usr/bin/lsyncd
settings {
  logfile = "/var/log/lsyncd/lsyncd.log", statusFile = "/var/log/lsyncd/lsyncd.status", statusInterval = 5,
  inotifyMode = "CloseWrite or Modify", maxProcesses = 8, insist = true, delay = 7,
}
local servers = { "web1", "web2" }
local function options(extra)
  local t = { binary = "/usr/bin/rsync", archive = true, compress = true, password_file = "/etc/pw", _extra = {"--bwlimit=200"} }
  for k, v in pairs(extra or {}) do t[k] = v end
  return t
end
for i, s in ipairs(servers) do
  sync { default.rsync, source = "/data", target = "joe@" .. s .. "::data", delay = 1,
         exclude = { ".*", "*.tmp" }, rsync = options() }
end
sync { default.rsyncssh, source = "/srv/www", host = "h", targetdir = "/x y", delete = false,
       ssh = { port = 2222, identityFile = "/root/id", options = { User = "joe" } }, init = false, crontab = {"0 0 3 * * *"} }
base = { default.rsync, maxProcesses = 3, rsync = { perms = true, owner = true }, excludeFrom = "/etc/ex" }
sync { base, source = "/a/", target = "/b", delete = "startup", rsync = { owner = false, hard_links = true } }
bash = { onCreate = "cp ^sourcePathname ^targetPathname", onDelete = function(event) spawn(event, "rm") end }
sync { bash, source = "/q", target = "/r" }
local s = sync { default.direct, source = "/d1", target = "/d2", exclude = "x", onMove = true,
                 filter = { "- *.o", "+ *.c" } }
s:addExclude("y")
if os.getenv("NO_SUCH_THING") == nil and os.date("%Y") > "2000" and ("ab"):ends("b") then
  sync { default.rsync, source = "/last", target = "host:", action = function(inlet) end }
end
`;

t.test('lsyncd', async (t) => {
  const { text, config } = await imported(LSYNCD);
  t.equal(config.logFile, '/var/log/lsyncd/lsyncd.log');
  t.equal(config.statusIntervalMs, 5000);
  t.equal(config.totalSessions, 8);
  const specs = config.syncs.map((sync) => sync.spec);
  t.same(
    specs.map((spec) => [spec.name, ...spec.sources, ...spec.targets.map((target) => target.dest)]),
    [
      ['data', '/data/', 'joe@web1::data/', 'joe@web2::data/'],
      ['www', '/srv/www/', 'h:/x y/'],
      ['a', '/a/', '/b/'],
      ['d1', '/d1/', '/d2/'],
      ['last', '/last/', 'host:'],
    ],
  );
  t.equal(specs[0].wanted & Change.MODIFIED, Change.MODIFIED);
  t.same(specs[0].targets[0].options, [
    ...['-az', '--bwlimit=200', '--delete', '--exclude=.*', '--exclude=*.tmp', '--password-file=/etc/pw'],
  ]);
  t.equal(specs[0].settleMs, MIRROR_DEFAULTS.settleMs, 'a delay of a second only gathered what goes at once here');
  t.equal(specs[1].settleMs, 7000);
  t.same(specs[1].targets[0].options, ['-rlt', '--rsh=ssh -i /root/id -o User=joe -p 2222']);
  t.same(config.syncs[1].schedules, [{ kind: 'cron', pattern: '0 0 3 * * *' }]);
  t.same(specs[2].targets[0].options, ['-rHlpt', '--exclude-from=/etc/ex']);
  t.equal(specs[2].targets[0].maxSessions, 3);
  t.same(specs[3].targets[0].options, [
    '-a',
    '--delete',
    '--filter=- *.o',
    '--filter=+ *.c',
    '--exclude=x',
    '--exclude=y',
  ]);
  t.match(text, /old\.conf:2\d: no equivalent for this sync of \/q/);
  t.match(text, /# init: the comparison at the start/);
  t.match(text, /# no equivalent for the action action/);
  t.match(text, /# delete = "startup"/);
  t.match(text, /# insist: /);
});

t.test('attributes that lsyncd has kept', async (t) => {
  const rsync = 'rsync = { archive = true, acls = true, xattrs = true, hard_links = true }';
  const { config } = await imported(`sync { default.rsync, source = "/tmp", target = "h:/t/", ${rsync} }`);
  t.same(config.syncs[0].spec.targets[0].options, ['-aAHX', '--delete']);
  t.same(checkConfig(config), [], 'they can be kept here, too');
});

t.test('a configuration of lsyncd 2.0', async (t) => {
  const { config } = await imported(
    'settings = {\n  logfile = "/l",\n}\nsync{default.rsync, source="/s", target="h:/t/", rsyncOps="-rtu --chmod=g+w"}\n',
  );
  t.equal(config.logFile, '/l');
  t.same(config.syncs[0].spec.targets[0].options, ['-rtu', '--chmod=g+w', '--delete']);
});

t.test('scripts that go wrong', async (t) => {
  const told = (text: string) =>
    importText(`settings {}\n${text}`, 'l.conf').then(
      () => '',
      (error) => (error instanceof ConfigError ? error.message : String(error)),
    );
  t.match(await told('sync { x'), /^l\.conf:2: '}' expected/);
  t.match(await told('nothing.at.all()'), /^l\.conf:2: attempt to index a nil value/);
  t.match(await told('os.execute("touch /tmp/x")'), /attempt to call a nil value \(field 'execute'\)/);
  t.match(await told('dofile("/etc/passwd")'), /attempt to call a nil value/);
  t.match(await told('require("x")'), /attempt to call a nil value/);
  t.match(await told('io.open("/etc/passwd")'), /attempt to index a nil value/);
  t.match(await told('string.rep("x", 1e9)'), /result is too long/);
  t.match(await told('error("my own words")'), /l\.conf:2: my own words/);
  t.equal(await told('local a = {} a.a = a sync { default.rsync, source = "/", target = "h:", rsync = a }'), '');
  t.throws(
    () =>
      runLua(
        { prelude: '', script: 'while true do pcall(function() while true do end end) end', epilogue: '' },
        'l',
        'x',
        { ms: 200, values: 10 },
      ),
    /did not end within 200 ms/,
  );
});

t.test('which language a file is in', async (t) => {
  t.equal(kindOfConfig('\n<?xml version="1.0"?>'), 'sersync');
  t.equal(kindOfConfig('<!-- x --><head>'), 'sersync');
  t.equal(kindOfConfig('-- a comment\nsettings{}'), 'lsyncd');
  t.equal(kindOfConfig('settings = {\n}'), 'lsyncd');
  t.equal(kindOfConfig('sync\n{\n default.rsync }'), 'lsyncd');
  t.equal(kindOfConfig('# x\nlog file = /x\n[sync a]\nsource=/s'), 'ini');
  t.equal(kindOfConfig('[ sync  a ]  # settings {'), 'ini');
});
