import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RsyncError } from '../../protocol/errors.js';
import { listingLine } from '../../protocol/handshake/greeting.js';
import { confText } from '../../src/daemon/config/conf-text.js';
import {
  checkDparams,
  type DaemonConfig,
  expandModule,
  findModule,
  isStale,
  loadConfig,
  parseConfig,
} from '../../src/daemon/config/config.js';
import { expandVars } from '../../src/daemon/config/lex.js';
import { findParam, GLOBAL_PARAMS, MODULE_PARAMS } from '../../src/daemon/config/params.js';
import { tempDir } from '../lib/temp.js';
import { askRealDaemon } from './stdio-oracle.js';

const parse = (text: string, env = {}, dparams: string[] = []): DaemonConfig => parseConfig(text, 'conf', dparams, env);
const only = (text: string, env = {}) => parse(`[m]\npath = /\n${text}`, env).modules[0].config;

/** What a client sees of a configuration: names and comments of the listed modules. */
function listing(config: DaemonConfig, env: Record<string, string | undefined>): string {
  let out = '';
  for (const { name, config: c } of config.modules) if (c.list) out += listingLine(name, expandVars(c.comment, env));
  return `${out}@RSYNCD: EXIT\n`;
}

t.test('the syntax is read as the real daemon reads it', async (t) => {
  const dir = tempDir(t);
  const cases: Record<string, string> = {
    plain: '[m]\ncomment = one\npath = /\n',
    'names ignore case and spaces': '[m]\nCO mm ENT=one\nPath=/\n[n]\nc o m m e n t = two\n',
    'only the first equals sign counts': '[m]\ncomment = a=b = c\n',
    'blanks around, not inside': '[m]\n\tcomment \t=   a   b \t \n',
    'comments and blank lines': '# x\n\n ; y\n   # z\n[m]\ncomment = not # a comment ; here\n',
    'continued value': '[m]\ncomment = one \\\n   two\\\nthree\n',
    'continued value with blanks behind the backslash': '[m]\ncomment = one\\  \t\n two\n',
    'continued name': '[m]\ncom\\\nment = one\n',
    'continued section': '[m \\\n n]\ncomment = one\n',
    'continued comment is none': '# x \\\n[m]\ncomment = one\n',
    'section with runs of blanks': '[  a \t b  ]\ncomment = one\n',
    'text behind a section': '[m] whatever\ncomment = one\n',
    'the same section twice': '[m]\ncomment = one\n[n]\ncomment = n\n[M]\ncomment = two\n',
    'global defaults': 'comment = default\n[m]\n[n]\ncomment = own\n',
    'global in between': 'comment = a\n[m]\n[global]\ncomment = b\n[n]\n',
    'a list parameter': '[m]\nlist = no\n[n]\nlist = FALSE\n[o]\nlist=0\n[p]\nlist = maybe\n',
    variables: '[m]\ncomment = %HOME% %NOSUCH% %home% 100%% %HOM\n',
    'booleans from variables': '[m]\nlist = %RSYNC_TEST_NO%\n',
    'unknown parameter': 'nonsense = 1\n[m]\nmore nonsense = 2\ncomment = one\n',
    'global parameter in a module': '[m]\nport = 12\ncomment = one\n',
    'a line without an equals sign': '[m]\njust words\ncomment = one\n',
    'carriage returns': '[m]\r\ncomment = one\r\n',
    'no newline at the end': '[m]\ncomment = one',
    'high bytes': '[m\xff]\ncomment = \xe4\xf6\n',
  };
  const env = { HOME: process.env.HOME };
  for (const [name, text] of Object.entries(cases)) {
    const file = join(dir, 'conf');
    writeFileSync(file, Buffer.from(`log file = ${dir}/log\n${text}`, 'latin1'));
    t.equal(listing(loadConfig(file, [], env), env), askRealDaemon(file, ['#list']), name);
  }
});

t.test('broken files are refused as a whole', async (t) => {
  const dir = tempDir(t);
  for (const text of [
    '[m\ncomment = x\n',
    '[]\n',
    '= 1\n',
    '[a/b]\npath = /\n',
    '&nonsense x\n',
    '&include /none/here\n',
  ]) {
    const file = join(dir, 'conf');
    writeFileSync(file, `log file = ${dir}/log\n${text}`);
    t.throws(() => loadConfig(file, [], {}), RsyncError, JSON.stringify(text));
    t.equal(askRealDaemon(file, ['#list']), '', `the real one too: ${JSON.stringify(text)}`);
  }
  t.throws(() => loadConfig(join(dir, 'missing'), [], {}), { message: /unable to open config file/ });
});

t.test('include keeps its settings to itself, merge does not', async (t) => {
  const dir = tempDir(t);
  const inc = join(dir, 'd');
  mkdirSync(inc);
  writeFileSync(join(inc, 'b.conf'), 'comment = in b\n[b]\n');
  writeFileSync(join(inc, 'a.conf'), '[a]\n');
  writeFileSync(join(inc, 'x.inc'), 'comment = from inc\n');
  writeFileSync(join(inc, 'ignored.txt'), '[ignored]\n');
  const file = join(dir, 'conf');
  writeFileSync(
    file,
    `log file = ${dir}/log\ncomment = top\n[first]\n&include ${inc}\n[last]\n[g]\n&merge ${inc}\n[h]\n&merge = ${inc}/x.inc\n`,
  );
  const config = loadConfig(file, [], {});
  t.equal(listing(config, {}), askRealDaemon(file, ['#list']));
  t.same(
    config.modules.map((m) => m.name),
    ['first', 'a', 'b', 'last', 'g', 'h'],
  );
  t.equal(findModule(config, 'last')?.config.comment, 'top', 'nothing leaks out of an included file');
  t.equal(findModule(config, 'h')?.config.comment, 'from inc');
  t.equal(isStale(config), false);
  writeFileSync(join(inc, 'c.conf'), '[c]\n');
  t.equal(isStale(config), true, 'a new file in an included directory is noticed');
});

t.test('a file that includes itself ends in an error', async (t) => {
  const file = join(tempDir(t), 'conf');
  writeFileSync(file, `&merge ${file}\n`);
  t.throws(() => loadConfig(file, [], {}), { message: /too deep/ });
});

t.test('values', async (t) => {
  t.equal(only('max connections = 12x').maxConnections, 12);
  t.equal(only('max connections = -3').maxConnections, -3);
  t.equal(only('max connections = many').maxConnections, 0);
  t.equal(only('use chroot = unset').useChroot, null);
  t.equal(only('use chroot = Yes').useChroot, true);
  t.equal(only('read only = unset').readOnly, true, 'two-valued ones cannot be unset');
  t.equal(only('path = /a/b///').path, '/a/b');
  t.equal(only('path = /').path, '/');
  t.equal(only('timeout = %T%', { T: '7' }).timeout, 7);
  t.equal(only('comment = %T%', { T: '7' }).comment, '%T%', 'strings keep their variables until they are used');
  t.equal(expandModule(only('path = /home/%RSYNC_USER_NAME%'), { RSYNC_USER_NAME: 'joe' }).path, '/home/joe');
  t.equal(only('syslog facility = LOCAL3').syslogFacility, 'local3');
  const d = parse('[m]\npath=/').modules[0].config;
  t.match(d, { readOnly: true, list: true, strictModes: true, reverseLookup: true, maxVerbosity: 1, useChroot: null });
  t.equal(d.lockFile, '/var/run/rsyncd.lock');
  t.equal(d.logFormat, '%o %h [%a] %m (%u) %f %l');
});

t.test('every parameter of the manual is known', async (t) => {
  const manual =
    'motd file,pid file,port,rsync port,address,socket options,listen backlog,daemon chroot,daemon uid,daemon gid,' +
    'proxy protocol,proxy protocol hosts,comment,path,use chroot,name converter,numeric ids,munge symlinks,' +
    'insecure links,charset,max connections,log file,syslog facility,syslog tag,max verbosity,lock file,read only,' +
    'write only,open noatime,list,uid,gid,fake super,filter,exclude,include,exclude from,include from,incoming chmod,' +
    'outgoing chmod,auth users,secrets file,auth digest,strict modes,hosts allow,hosts deny,reverse lookup,' +
    'forward lookup,ignore errors,ignore nonreadable,transfer logging,log format,timeout,refuse options,dont compress,' +
    'early exec,pre-xfer exec,post-xfer exec,temp dir';
  for (const name of manual.split(',')) t.ok(findParam(name), name);
  t.equal(Object.keys(GLOBAL_PARAMS).length + Object.keys(MODULE_PARAMS).length, 59);
  t.equal(findParam('nonsense'), null);
});

t.test('what is wrong is told with file and line', async (t) => {
  const { notices } = parse('# first\nbogus = 1\n[m]\ncomment = x\n\n[n]\npath = /no/such/place\n');
  t.same(notices, [
    'Unknown Parameter encountered: "bogus" (conf:2)',
    'IGNORING unknown parameter "bogus" (conf:2)',
    'No path specified for module m (conf:3)',
    'path "/no/such/place" of module n does not exist (conf:6)',
  ]);
});

t.test('--dparam settings', async (t) => {
  const config = parse('motd file = a\ncomment = x\n[m]\ncomment = own\n[n]\n', {}, ['motdfile=b', 'comment= y']);
  t.equal(config.global.motdFile, 'b');
  t.equal(findModule(config, 'm')?.config.comment, 'own');
  t.equal(findModule(config, 'n')?.config.comment, 'y');
  t.equal(parse('', {}, ['port=12']).global.port, 12, 'also without modules');
  t.throws(() => checkDparams(['nonsense=1']), { message: 'Unknown parameter "nonsense"' });
  t.throws(() => checkDparams(['port']), { message: /missing an '='/ });
});

t.test('a configuration as an object', async (t) => {
  const text = confText({
    global: { motdFile: '/etc/motd', port: 0 },
    modules: { m: { path: '/tmp', 'read only': false } },
  });
  const config = parse(text);
  t.equal(config.global.motdFile, '/etc/motd');
  t.match(config.modules[0], { name: 'm', config: { path: '/tmp', readOnly: false } });
  t.throws(() => confText({ modules: { m: { nonsense: 1 } } }), RsyncError);
  t.throws(() => confText({ modules: { m: { path: '/\nuid = root' } } }), RsyncError);
  t.throws(() => confText({ modules: { m: { path: '/x\\' } } }), RsyncError);
  t.throws(() => confText({ modules: { 'a]b': {} } }), RsyncError);
});
