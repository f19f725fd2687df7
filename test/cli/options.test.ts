import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { limitLevels } from '../../protocol/handshake/levels.js';
import { OPTION_INDEX, OPTION_ROWS } from '../../src/cli/option-table.js';
import { parseStopAfter, parseStopAt } from '../../src/cli/option-times.js';
import { cleanPath, parseSize } from '../../src/cli/option-values.js';
import {
  helpText,
  parseCommand,
  parseServerArgs,
  ServerOptionError,
  unsupportedOption,
  versionText,
} from '../../src/cli/options.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const parse = (line: string, env = {}) => parseCommand([...line.split(' ').filter(Boolean), 'src', 'dst'], env).options;

t.test('the table holds what rsync holds, and nothing else', async (test) => {
  // Every option of the table, in one command line whose last word is unknown: it must be the one that is told.
  const words: string[] = [];
  for (const row of OPTION_ROWS) {
    if (row.action === 'daemon' || /^(crtimes|help|sender|server|version)$/.test(row.long)) continue;
    const values: Record<string, string> = {
      'max-size': '1',
      'min-size': '1',
      bwlimit: '5',
      'block-size': '700',
      stderr: 'all',
    };
    Object.assign(values, {
      chmod: '755',
      info: 'name',
      debug: 'io',
      'remote-option': '-x',
      'stop-at': '99-1-1',
      'stop-after': '9',
      'time-limit': '9',
    });
    Object.assign(values, {
      'exclude-from': '/dev/null',
      'include-from': '/dev/null',
      filter: '- x',
      'modify-window': '1',
    });
    const value = row.arg === 'none' ? '' : (values[row.long] ?? (row.arg === 'int' ? '1' : 'x'));
    if (
      /^(compare|copy|link)-dest$|^(chown|usermap|groupmap)$/.test(row.long) &&
      row.long !== 'link-dest' &&
      row.long !== 'chown'
    )
      continue;
    if (row.long !== '') words.push(`--${row.long}${value === '' ? '' : `=${value}`}`);
    if (row.short !== '') words.push(`-${row.short}${value}`);
  }
  // It writes the --log-file that it was told of.
  const real = await run('rsync', [...words, '--no-such-option', 'a', 'b'], { cwd: test.testdir() });
  test.match(real.stderr, /^rsync: --no-such-option: unknown option/);
  const help = await run('rsync', ['--help']);
  const names = help.stdout.split('Options\n')[1].match(/(?<=^|, )-(?:-[\w-]+|[\w@])/gm) as string[];
  test.ok(names.length > 200, 'the help was read');
  for (const name of names.filter((name) => name !== '--no-OPTION'))
    test.ok(OPTION_INDEX.get(name) !== undefined, name);
  for (const name of names) test.match(helpText(), name, `${name} is in the help`);
  const no =
    '8-bit-output acls append atimes backup blocking-io bwlimit checksum compress contimeout crtimes delay-updates ' +
    'devices dirs drop-D force from0 fuzzy group hard-links human-readable iconv ignore-errors inplace insecure-links ' +
    'itemize-changes links mkpath msgs2stderr munge-links numeric-ids old-args omit-dir-times omit-link-times ' +
    'one-file-system open-noatime owner partial perms progress protect-args prune-empty-dirs recursive relative ' +
    'secluded-args sparse specials super timeout times verbose write-devices xattrs whole-file motd implied-dirs ' +
    'i-r i-d inc-recursive detach 8 A D H J N O R S U W X c d g h i l m o p r s t v x y z';
  for (const name of no.split(' ')) test.ok(OPTION_INDEX.get(`--no-${name}`) !== undefined, `--no-${name}`);
});

t.test('order decides', async (test) => {
  test.equal(parse('-a --no-p').perms, false);
  test.equal(parse('--no-p -a').perms, true);
  test.equal(parse('-a --no-D --specials').devices, false);
  test.equal(parse('-a --no-D --specials').specials, true);
  test.equal(parse('-vv --no-v -v').verbose, 1);
  test.equal(parse('-W --no-W').wholeFile, false);
  test.equal(parse('').wholeFile, null);
  test.equal(parse('-z --no-z').compress, false);
  test.equal(parse('--fake-super --super').fakeSuper, false);
});

t.test('words, bundles and values', async (test) => {
  const values = [['-e', 'x y'], ['-ex y'], ['-e=x y'], ['--rsh=x y'], ['--rsh', 'x y'], ['-ave', 'x y'], ['-avex y']];
  for (const args of values) test.equal(parseCommand([...args, 'a', 'b'], {}).options.rsh, 'x y', args.join(' '));
  test.same(parseCommand(['a', '-v', 'b', '-'], {}).options.args, ['a', 'b', '-']);
  test.same(parseCommand(['a', '--', '-v', '--', 'b'], {}).options.args, ['a', '-v', '--', 'b']);
  test.same(parseCommand(['-M--a=b', '-M', '-c', 'a', 'b'], {}).options.remoteOptions, ['--a=b', '-c']);
  test.equal(parse('--timeout=0x10').timeout, 16);
  test.equal(parse('--timeout=010').timeout, 8);
  test.equal(parse('--timeout=').timeout, 0);
  test.equal(parseCommand(['--exclude', '--foo', 'a', 'b'], {}).options.filters[0].value, '--foo');
  test.equal(parseCommand(['--suffix=\xff', '-b', 'a', 'b'], {}).options.suffix, '\xff', 'bytes stay bytes');
});

t.test('filters keep their order', async (test) => {
  const o = parse('--include=a -F --exclude-from=f -f -_x -F -FF --exclude=b');
  test.same(
    o.filters.map((f) => `${f.kind} ${f.value}`),
    ['include a', 'filter : /.rsync-filter', 'exclude-from f', 'filter -_x', 'filter - .rsync-filter', 'exclude b'],
  );
  test.match(parse('-rb --delete').filters, [{ kind: 'filter', value: 'P *~' }]);
  test.same(parse('-rb --delete-excluded').filters, []);
  test.same(parse('-rb --delete --backup-dir=x').filters, []);
  test.match(parse('--old-dirs').filters, [{ value: '- /*/*' }]);
});

t.test('implications', async (test) => {
  const a = parse('-a');
  for (const key of ['recurse', 'links', 'perms', 'times', 'group', 'owner', 'devices', 'specials'] as const)
    test.ok(a[key], key);
  test.notOk(a.hardLinks || a.acls || a.xattrs);
  test.match(parse('-P'), { partial: true, progress: true, info: { progress: 1, flist: 2, name: 1 } });
  test.match(parse('-iP').info, { name: 0, progress: 1 });
  test.match(parse('-i'), { outFormat: '%i %n%L', itemize: 1 });
  test.match(parse('-v'), { outFormat: '%n%L', info: { name: 1, stats: 1, nonreg: 1, backup: 0 } });
  test.match(parse('-vv').info, { name: 2, misc: 2, skip: 1, backup: 1 });
  test.match(parse('-vvvv').debug, { deltasum: 3, chdir: 0, cmd: 2 });
  test.match(parse('--stats').info, { stats: 2 });
  test.match(parse('--stats -vv').info, { stats: 3 });
  test.match(parse('--info=stats0 --stats').info, { stats: 0 });
  test.match(parse('--info=name0 -v'), { outFormat: null, info: { name: 0 } });
  test.match(parse('-v --info=none').info, { name: 0, nonreg: 0 });
  test.match(parse('--info=all2,del0').info, { name: 2, del: 0, progress: 2 });
  test.match(parse('-r --delete'), { deleteMode: 'during', deleteUntimed: true });
  test.match(parse('-r --delete --protocol=29'), { deleteMode: 'before', deleteUntimed: true });
  test.match(parse('-r --delete-excluded'), { deleteMode: 'during', deleteUntimed: true, deleteExcluded: true });
  test.match(parse('-r --delete-after'), { deleteMode: 'after', deleteUntimed: false });
  test.match(parse('--delay-updates'), { partialDir: '.~tmp~', partial: true });
  test.match(parse('--partial-dir=x/./y//'), { partialDir: 'x/y', partial: true });
  test.match(parse('--inplace --partial'), { partial: false });
  test.match(parse('--append'), { inplace: true, append: 1 });
  test.match(parse('--append --append'), { append: 1 });
  test.match(parse('--cc=none'), { wholeFile: true, checksumChoice: 'none' });
  test.match(parse('--cc=AUTO,auto'), { checksumChoice: '' });
  test.match(parse('-zz'), { compress: true, compressChoice: 'zlibx' });
  test.match(parse('--zc=ZSTD'), { compress: true, compressChoice: 'zstd' });
  test.match(parse('--zc=none -z'), { compress: false, compressChoice: 'none' });
  test.match(parse('--backup-dir=x'), { backup: true, suffix: '', omitDirTimes: false });
  test.match(parse('-b'), { suffix: '~', omitDirTimes: true });
  test.match(parse('--files-from=x -a'), { recurse: false, dirs: 1, relative: true, impliedDirs: true });
  test.match(parse('--files-from=x -ar'), { recurse: true });
  test.match(parse('--files-from=x --no-R'), { relative: false, impliedDirs: false });
  test.match(parse('-UU'), { atimes: 2, openNoatime: true });
  test.match(parse('-A'), { acls: true, perms: true });
  test.match(parse('--chown=a:b'), { usermap: '*:a', groupmap: '*:b', owner: true, group: true });
  test.match(parse('-hh'), { humanReadable: 3 });
  test.match(parse('--no-h'), { humanReadable: 0 });
  test.match(parse('--max-delete=-5'), { maxDelete: 0 });
  test.match(parse(''), { maxDelete: -1, humanReadable: 1, outFormat: null, maxAlloc: 2 ** 30, protocol: 32, rsh: '' });
  test.match(parse('--log-file=x'), { logFileFormat: '%i %n%L' });
  test.match(parse('--fuzzy -y --link-dest=a --link-dest=b'), { fuzzy: 3, basisKind: 'link', basisDirs: ['a', 'b'] });
  test.match(parseCommand(['dir/'], {}).options, { listOnly: true, dirs: 1 });
  test.match(parse('--partial', { RSYNC_PARTIAL_DIR: 'pd' }), { partialDir: 'pd' });
  test.match(parse('', { RSYNC_PARTIAL_DIR: 'pd' }), { partialDir: '' });
  test.match(parse('--compress-threads=-3 -z'), { compressThreads: 0 });
});

t.test('sizes', async (test) => {
  const rule = { name: 'x', unit: 'b', min: 0, max: -1, zeroIsUnlimited: false };
  const sizes: Record<string, number> = {
    '': 0,
    '5': 5,
    '1k': 1024,
    '1.5K': 1536,
    '1kb': 1000,
    '1KiB': 1024,
    '2m': 2 ** 21,
  };
  Object.assign(sizes, {
    '1MB': 1e6,
    '3g': 3 * 2 ** 30,
    '1t-1': 2 ** 40 - 1,
    '10+1': 11,
    '.5m': 2 ** 19,
    '0': 0,
    '7b': 7,
    '7bb': 7,
  });
  for (const [text, size] of Object.entries(sizes)) test.equal(parseSize(text, rule), size, text);
  test.equal(parse('--bwlimit=100').bwlimit, 100);
  test.equal(parse('--bwlimit=1.5m').bwlimit, 1536);
  test.equal(parse('--bwlimit=512b').bwlimit, 1);
  test.equal(parse('--bwlimit=1000b').bwlimit, 1);
});

t.test('moments', async (test) => {
  const now = new Date(2026, 0, 31, 10, 20, 30).getTime() / 1000;
  const at = (text: string) => {
    const d = new Date(parseStopAt(text, now) * 1000);
    return [d.getFullYear(), d.getMonth() + 1, d.getDate(), d.getHours(), d.getMinutes()].join(' ');
  };
  test.equal(at('2026-11-21T06:24'), '2026 11 21 6 24');
  test.equal(at('27/3/4'), '2027 3 4 0 0');
  test.equal(at('12:00'), '2026 1 31 12 0');
  test.equal(at('T9:00'), '2026 2 1 9 0');
  test.equal(at(':30'), '2026 1 31 10 30');
  test.equal(at(':10'), '2026 1 31 11 10');
  test.equal(at('30'), '2026 3 30 0 0', 'February has no 30th');
  test.equal(at('1-5'), '2027 1 5 0 0');
  test.equal(at('2-29'), '2028 2 29 0 0');
  test.equal(at('3-1T'), '2026 3 1 0 0');
  for (const bad of ['', 'x', '1:2:3', 'T5', '24:00', '13-1', '1-1T:30', '0', '1-', '-1'])
    test.throws(() => at(bad), /stop-at/, bad);
  test.throws(() => at('2020-1-1'), /not in the future/);
  test.equal(parseStopAfter('3', 1000.5), 1180);
});

t.test('paths are cleaned', async (test) => {
  const cases: Record<string, string> = {
    'a//b/': 'a/b',
    './a/.': 'a',
    'a/../b': 'b',
    '../x': '../x',
    '/../x': '/x',
    '.': '',
    '/': '/',
    'a/..': '',
  };
  for (const [path, clean] of Object.entries(cases)) test.equal(cleanPath(path), clean, path);
});

t.test('help, version and daemon', async (test) => {
  for (const args of [['-h'], ['--help'], ['-av', '--help', '--foo'], ['-vh']])
    test.equal(parseCommand(args, {}).kind, 'help', args.join(' '));
  test.equal(parseCommand(['-h', 'a', 'b'], {}).kind, 'transfer');
  test.match(parseCommand(['--info=help', 'x'], {}), { kind: 'help', text: /^PROGRESS /m });
  test.match(parseCommand(['-V'], {}), {
    kind: 'version',
    versionLevel: 1,
    text: /^rsync {2}version 3\.5\.0 {2}protocol version 32\n/,
  });
  test.match(parseCommand(['-VV'], {}), { kind: 'version', versionLevel: 2 });
  test.match(JSON.parse(versionText(2)), { version: '3.5.0', protocol: '32.0' });
  const theirs = JSON.parse((await run('rsync', ['-VV'])).stdout);
  for (const [name, has] of Object.entries(JSON.parse(versionText(2)).capabilities)) {
    test.equal(theirs.capabilities[name], has, `-VV: ${name}, as rsync has it`);
  }
  const d = parseCommand(
    '--no-detach --daemon --config=/c --port 77 -vv --dparam=a=b -M c=d -4 --log-file=l'.split(' '),
    {},
  );
  test.match(d, {
    kind: 'daemon',
    daemon: { config: '/c', port: 77, verbose: 2, dparams: ['a=b', 'c=d'], ipFamily: 4 },
  });
  test.match(d.daemon, { noDetach: true, logFile: 'l', server: false, address: '' });
  test.match(parseCommand(['--daemon', '-h'], {}), { kind: 'help', text: /--daemon \[OPTION\]/ });
  test.match(parseCommand(['--server', '--daemon', '.'], {}), {
    kind: 'daemon',
    daemon: { server: true },
    options: { args: ['.'] },
  });
});

t.test('a server says which machine it is', async (test) => {
  const server = (words: string, o = {}) => parseServerArgs(words.split(' '), { isDaemon: false, ...o });
  test.match(server('--server --sender -vlogDtpre.iLsfxCIvu . d'), {
    server: true,
    sender: true,
    clientInfo: '.iLsfxCIvu',
    rsh: '',
    owner: true,
  });
  test.throws(() => server('--server -r --foo . d'), {
    exitCode: 1,
    message: 'rsync: on remote machine: --foo: unknown option',
  });
  test.match(server('--server --append --append . d'), { append: 2, inplace: true });
  test.match(server('--server --info=newword,name2 . d').info, { name: 2 });
  test.match(server('--server --log-format=%i%I . d'), { serverLogFormat: '%i%I', outFormat: null });
  test.match(server('--server -se.LsfxCIvu'), { secludedArgs: true });
  test.match(server('--server -se.LsfxCIvu --delete -r . x', { secludedDone: true }), {
    deleteMode: 'during',
    args: ['.', 'x'],
  });
  test.throws(() => server('--server -r --files-from=h:x . d'), { message: /cannot specify a host/ });
  test.throws(() => server('--server --daemon .', { isDaemon: true }), {
    message: 'rsync: Attempt to hack rsync thwarted!',
  });
  test.match(server('--server -z --compress-threads=99 . d', { isDaemon: true }), { compressThreads: 8 });
});

t.test('max verbosity', async (test) => {
  const o = parse('-vvv --info=progress2');
  limitLevels(o.info, 'info', 1);
  limitLevels(o.debug, 'debug', 1);
  test.match(o.info, { name: 1, misc: 1, progress: 0, backup: 0 });
  test.equal(o.debug.flist, 0);
});

t.test('options read before an error are at hand', async (test) => {
  try {
    parseServerArgs('--server -re.iLsfxCIvu --foo --files-from=- . m/'.split(' '), { isDaemon: true });
    test.fail('an error was due');
  } catch (e) {
    if (!(e instanceof ServerOptionError)) throw e;
    test.match(e.options, { recurse: true, clientInfo: '.iLsfxCIvu', filesFrom: '-', server: true });
  }
});

t.test('arguments that are not UTF-8', async (test) => {
  const script = join(tempDir(test), 'args.mjs');
  const module = new URL('../../src/cli/options.js', import.meta.url);
  writeFileSync(
    script,
    `import { argvBytes } from '${module}'; process.stdout.write(Buffer.from(argvBytes().join('\\n'), 'latin1'));`,
  );
  for (const args of [['\xff\xe9', 'a', ''], ['\xc3\xa9', ''], ['\xef\xbf\xbd']]) {
    const result = await run(process.execPath, ['--no-warnings', script, ...args]);
    test.equal(result.stdout, args.join('\n'));
  }
});

t.test('what only a program of our own can do', async (test) => {
  for (const line of ['-avzHP --delete', '-aAXH', '-aXX', '-aX --fake-super', '--iconv=utf8']) {
    test.equal(unsupportedOption(parse(line)), null, line);
  }
  for (const line of ['--copy-as=x', '--confine-root=/x']) {
    test.type(unsupportedOption(parse(line)), 'string', line);
  }
});
