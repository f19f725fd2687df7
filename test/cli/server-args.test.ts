import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  daemonPath,
  escapeOption,
  escapePath,
  serverArgParts,
  serverArgs,
  splitDaemonPaths,
  unescapeDaemonOption,
} from '../../protocol/handshake/args.js';
import { parseCommand, parseServerArgs } from '../../src/cli/options.js';
import { planJob } from '../../src/client/target.js';
import { run } from '../lib/run.js';
import { makeTempDir } from '../lib/temp.js';

const dir = makeTempDir();
writeFileSync(join(dir, 'shell'), '#!/bin/sh\nprintf "%s\\0" "$@" >"$ARGV_FILE"\nexec >&-\ncat >"$ARGV_FILE.in"\n', {
  mode: 0o755,
});
writeFileSync(join(dir, 'a'), '');
writeFileSync(join(dir, 'list'), 'a\n');

let serial = 0;

/** What the real client hands to its remote shell: the words behind the host's name, and what it then writes. */
async function realArgs(args: string[], env: Record<string, string>): Promise<{ words: string[]; written: string }> {
  const file = join(dir, `argv${serial++}`);
  const result = await run('rsync', ['-e', join(dir, 'shell'), ...args], {
    cwd: dir,
    env: { ...env, ARGV_FILE: file },
  });
  const words = (() => {
    try {
      return readFileSync(file, 'latin1').split('\0').slice(0, -1);
    } catch {
      throw new Error(`rsync ${args.join(' ')} ran no shell: ${result.stderr}`);
    }
  })();
  return { words: words.slice(words.indexOf('rsync') + 1), written: readFileSync(`${file}.in`, 'latin1') };
}

function ourArgs(args: string[], env: Record<string, string>): { words: string[]; rest: string[] } {
  const { options } = parseCommand(['-e', join(dir, 'shell'), ...args], env);
  const job = planJob(options);
  const push = job.direction === 'push';
  const filesFromRemote = job.filesFromRemote === '' ? undefined : job.filesFromRemote;
  const { open, rest } = serverArgParts(options, push, { filesFromRemote });
  const paths = ['.', ...job.remotePaths.map((p) => escapePath(p, options, { pull: !push, filesFromRemote }))];
  return options.secludedArgs
    ? { words: open, rest: [...rest, ...paths] }
    : { words: [...open, ...rest, ...paths], rest: [] };
}

const MIXES = [
  '',
  '-a',
  '-avvv',
  '-vvvvvvvvvvvv',
  '-av --no-p -O -J',
  '-rlHHDtUUXXAyy',
  '-rtUp',
  '-a --no-D --specials',
  '-a --no-specials',
  '-d',
  '-d --delete',
  '--old-dirs',
  '-r --delete',
  '-r --delete-before',
  '-r --del',
  '-r --delete-delay',
  '-r --delete-after --force --ignore-errors',
  '-r --delete-excluded',
  '-r --delete-excluded --delete-during --max-delete=5',
  '-r --delete --max-delete=-3',
  '-r --max-delete=0',
  '-rb',
  '-rbO',
  '-rb --suffix=.old',
  '-r --backup-dir=./x/y',
  '-r --backup-dir=../b~ak --suffix=.old',
  '-z',
  '-zz',
  '-z --compress-level=3',
  '--zl=7',
  '--zl=-5',
  '--compress-choice=zlib',
  '--zc=zlibx',
  '--zc=zstd --zl=3',
  '--zc=lz4',
  '--zc=none',
  '-z --no-z',
  '--old-compress',
  '--new-compress',
  '--zc=auto -z',
  '-z --skip-compress=gz/jpg/mp[34]',
  '--cc=md5',
  '--cc=xxh64,md5',
  '--cc=none',
  '--cc=auto',
  '-c --checksum-seed=99',
  '-I --size-only -u -x',
  '-xx',
  '-S',
  '-S --inplace',
  '-S --inplace --no-W',
  '-W',
  '--append',
  '--append-verify',
  '--append --append',
  '--inplace --partial',
  '--partial',
  '-P',
  '--partial-dir=.part/',
  '--partial-dir=/abs//x/./y/../z',
  '--partial-dir=.',
  '--delay-updates',
  '--delay-updates --partial-dir=pd',
  '--temp-dir=/t',
  '--compare-dest=/x --compare-dest=../y',
  '--link-dest=/x',
  '--copy-dest=q',
  '--fuzzy --link-dest=/x',
  '-i',
  '-ii',
  '-iv',
  '--out-format=%n',
  '--out-format=%o',
  '--out-format=%i',
  '--out-format=%-10i -ii',
  '--out-format=%%i',
  '-v --out-format=%n',
  '--progress',
  '--info=progress2',
  '--info=name0',
  '--info=name2,del,misc2',
  '--info=all',
  '--info=all3',
  '--info=none',
  '--info=all2,name0,backup1',
  '--info=stats3 -vv',
  '--info=remove,symsafe',
  '--stats',
  '-q',
  '-q --stderr=client',
  '--msgs2stderr',
  '--no-msgs2stderr',
  '--stderr=all',
  '--timeout=30 --bwlimit=1m',
  '--bwlimit=1.5',
  '--bwlimit=0',
  '-B 4096',
  '--block-size=8k',
  '--max-size=1.5m --min-size=10k-1',
  '--max-alloc=2g',
  '--max-alloc=1g',
  '--numeric-ids --super',
  '--fake-super',
  '--no-super',
  '-L --copy-unsafe-links -k -K',
  '--safe-links --munge-links',
  '-m -E -0',
  '-pE',
  '-R',
  '-R --no-implied-dirs',
  '-C',
  '-F --exclude=x',
  '--existing --ignore-existing',
  '--ignore-non-existing --remove-source-files',
  '--remove-sent-files',
  '--ignore-missing-args',
  '--delete-missing-args',
  '--ignore-missing-args --delete-missing-args',
  '--modify-window=2',
  '-@-1',
  '-@0',
  '--usermap=*:nobody --groupmap=a:b,*:c',
  '--chown=u:g',
  '--fsync --preallocate --mkpath',
  '--write-devices --copy-devices',
  '--open-noatime',
  '-U --open-noatime',
  '--list-only -r',
  '--list-only',
  '-n',
  '-ni',
  '--no-inc-recursive -r',
  '--no-i-r --i-r -r',
  '--delay-updates -r',
  '-M--foo -M--bar=*x',
  '--old-args -M--bar=*x --suffix=~$x',
  '--old-args --old-args --suffix=~$x',
  '--suffix=~$x*?[b]\\',
  '--iconv=utf8,latin1',
  '--protocol=29 -a --no-implied-dirs -R --delete',
  '--protocol=30 -az',
  '--trust-sender -r',
  '-s -a --suffix=$x',
  '-s --iconv=.',
  '--files-from=:rlist',
  '--files-from=:rlist -0 --no-R',
  '--files-from=h:rlist -a',
  '--files-from=:rlist -r',
  '--from0 --files-from=h:r$',
  '--chmod=u+x --log-file=/dev/null',
  '--stop-after=10 --outbuf=L -8 -h',
];
const PULL_ONLY = new Set(['--files-from=list -a', '--files-from=list -0']);
const PATHS = ['d', '', "q d/a*b'c\\d", '~/x', '~', '-x', 'x\\*y', 'a;b|$(c)`d`"e"{f}', '-', '../y/'];

const sides = { push: (path: string) => ['a', `h:${path}`], pull: (path: string) => [`h:${path}`, 'dst'] };
const TERMINATED = (list: string[]) => ['rsync', ...list].map((word) => `${word || '.'}\0`).join('');

/** Compares one command line with the real client; the real one runs. */
async function same(
  test: Pick<typeof t, 'same' | 'equal'>,
  args: string[],
  env: Record<string, string> = {},
): Promise<void> {
  const real = await realArgs(args, env);
  const ours = ourArgs(args, env);
  test.same(ours.words, real.words, `${JSON.stringify(env)} ${args.join(' ')}`);
  if (ours.rest.length > 0) {
    test.equal(
      real.written.slice(0, TERMINATED(ours.rest).length),
      TERMINATED(ours.rest),
      `secluded: ${args.join(' ')}`,
    );
  }
}

for (const side of ['push', 'pull'] as const) {
  t.test(`arguments of a server: ${side}`, async (test) => {
    const mixes = side === 'pull' ? [...MIXES, ...PULL_ONLY] : MIXES;
    for (const mix of mixes) await same(test, [...mix.split(' ').filter(Boolean), ...sides[side]('d')]);
  });
  t.test(`paths: ${side}`, async (test) => {
    for (const path of PATHS) {
      await same(test, sides[side](path));
      await same(test, ['-s', '--temp-dir=a b', ...sides[side](path)]);
    }
    for (const path of ['~/x', '~', 'a b']) {
      await same(test, ['-R', ...sides[side](path)]);
      await same(test, ['--old-args', ...sides[side](path)]);
      await same(test, ['--trust-sender', ...sides[side](path)]);
    }
  });
}

t.test('environment', async (test) => {
  await same(test, ['-r', 'a', 'h:x y'], { RSYNC_PROTECT_ARGS: '1' });
  await same(test, ['-r', 'a', 'h:x y'], { RSYNC_PROTECT_ARGS: '0' });
  await same(test, ['-r', 'a', 'h:x y'], { RSYNC_OLD_ARGS: '1' });
  await same(test, ['--partial', 'a', 'h:x'], { RSYNC_PARTIAL_DIR: '.pd/' });
  await same(test, ['-r', 'a', 'h:x'], { RSYNC_PARTIAL_DIR: '.pd/' });
  await same(test, ['a', 'h:x'], { RSYNC_MAX_ALLOC: '3g' });
  await same(test, ['a', 'h:x'], { RSYNC_ICONV: 'utf8,latin1' });
  await same(test, ['--no-iconv', 'a', 'h:x'], { RSYNC_ICONV: 'utf8' });
});

t.test('several sources and names that are not UTF-8', async (test) => {
  await same(test, ['h:\xe9 x', ':\xff*', 'h:', 'dst']);
});

t.test('a server reads what a client writes', async (test) => {
  for (const mix of MIXES.filter((m) => !/-M|iconv|old-args|max-alloc|fake-super|qsort|write-batch/.test(m))) {
    for (const side of ['push', 'pull'] as const) {
      const { options: o } = parseCommand([...mix.split(' ').filter(Boolean), ...sides[side]('d')], {});
      const job = planJob(o);
      const push = side === 'push';
      const args = [
        ...serverArgs(o, push, { local: true, filesFromRemote: job.filesFromRemote || undefined }),
        '.',
        'd',
      ];
      const got = parseServerArgs(args, { isDaemon: false, secludedDone: true });
      const keys = [
        'recurse',
        'links',
        'perms',
        'times',
        'owner',
        'group',
        'devices',
        'specials',
        'relative',
        'update',
      ] as const;
      const more = [
        'compress',
        'compressLevel',
        'checksum',
        'timeout',
        'bwlimit',
        'numericIds',
        'blockSize',
        'safeLinks',
      ] as const;
      for (const key of [...keys, ...more]) test.equal(got[key], o[key], `${side} ${mix}: ${key}`);
      if (push) {
        for (const key of [
          'deleteMode',
          'backup',
          'backupDir',
          'suffix',
          'partialDir',
          'tempDir',
          'maxSize',
        ] as const) {
          test.equal(got[key], o[key], `${mix}: ${key}`);
        }
      }
      test.equal(got.sender, !push);
      test.same(got.args, ['.', 'd']);
      test.match(got.clientInfo, o.protocol >= 30 ? /^\.i?LsfxCIvu$/ : /^$/);
    }
  }
});

t.test('words of a daemon', async (test) => {
  test.equal(unescapeDaemonOption('--suffix=\\~\\$x\\\\'), '--suffix=~$x\\');
  test.equal(unescapeDaemonOption('x\\'), 'x\\');
  for (const text of ['~$x*?[b]\\', 'a b\n"\'', '\xff\\\\*'])
    test.equal(unescapeDaemonOption(escapeOption(text)), text);
  test.same(splitDaemonPaths(['m/a', 'm/', 'm', 'm//x', 'm/a m/b c m/d'], 'm'), ['a', '', '', 'x', 'a', 'b c', 'd']);
  test.same(splitDaemonPaths(['m/a m/b'], 'm', true), ['a m/b']);
  const o = { oldArgs: 0 };
  test.equal(daemonPath('m', 'm', o), 'm/');
  test.equal(daemonPath('m/a m/b', 'm', o), 'm/a[ ]m/b');
  test.equal(daemonPath('m/a m/b', 'm', { oldArgs: 1 }), 'm/a m/b');
  test.equal(daemonPath('-m/x', '-m', o), './-m/x');
});
