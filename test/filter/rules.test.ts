import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RsyncError } from '../../protocol/errors.js';
import { cleanPath } from '../../protocol/filter/parse.js';
import { excludedByParents, FilterList, type FilterReader, type Verdict } from '../../protocol/filter/rules.js';
import { Root } from '../../src/files/root.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { cleanEnv, run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { filtersOf, ourList } from './oracle.js';

function readerOf(files: Record<string, string>, seen: string[] = []): FilterReader {
  return {
    read(path) {
      seen.push(path);
      return path in files ? Buffer.from(files[path], 'latin1') : null;
    },
  };
}

interface Setup {
  side?: 'sender' | 'receiver';
  deleteExcluded?: boolean;
  files?: Record<string, string>;
  report?: (text: string) => void;
}

function listOf(rules: string[], s: Setup = {}): FilterList {
  const list = new FilterList({
    side: s.side ?? 'sender',
    protocol: 32,
    deleteExcluded: s.deleteExcluded ?? false,
    reader: readerOf(s.files ?? {}),
    report: s.report,
  });
  for (const rule of rules) list.addRule(rule);
  return list;
}

t.test('errors are those of the real rsync', (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 's'));
  writeFileSync(join(dir, 'bad'), 'ok\nfoo\n');
  writeFileSync(join(dir, 'names-bad'), '. bad\n');
  writeFileSync(join(dir, 'loop'), '. loop\n');
  writeFileSync(join(dir, 'side'), 'P x\n');
  writeFileSync(join(dir, 'long'), `- ${'x'.repeat(5200)}\n- ${'y'.repeat(4500)}\n`);
  const options = ['foo', '-, ', '-q x', '!x', '. nofile', '. no/such', ': ', ':s! x', '-+ x', 'exclude', 'excludex y'];
  const more = [
    'exclude,p',
    '. bad',
    '. names-bad',
    '. loop',
    '.s side',
    'Hs x',
    'PC',
    ':+- x',
    '.n/ nofile',
    '-e x',
    ' ',
  ];
  const args = [...options, ...more].map((text) => `--filter=${text}`);
  args.push('--exclude-from=nofile', '--include-from=nofile', '--exclude-from=long');
  for (const arg of args) {
    const real = spawnSync('rsync', ['-nr', arg, 's/', 'd/'], { cwd: dir, encoding: 'latin1', env: cleanEnv() });
    const expected = real.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('rsync error:'));
    const messages: string[] = [];
    let code = 0;
    try {
      const list = listOf([], { report: (text) => messages.push(text) });
      const kind = arg.slice(2, arg.indexOf('=')) as 'filter' | 'exclude-from' | 'include-from';
      const own = filtersOf({ filters: [], cvsExclude: false } as never, { cwd: dir, args: [] });
      own.settings.report = list.settings.report;
      own.addSource({ kind, value: arg.slice(arg.indexOf('=') + 1) }, false);
    } catch (error) {
      code = (error as RsyncError).exitCode;
      messages.push((error as RsyncError).message);
    }
    t.same([messages, code], [expected, real.status], arg);
  }
  t.end();
});

t.test('sides, deletion and perishable rules', (t) => {
  const rules = ['H hid', 'P prot', 'S shown', 'R risk', '-p per', '-sr both', '- *'];
  const ask = (s: Setup) => {
    const scope = listOf(rules, s).root(readerOf({}));
    return ['hid', 'prot', 'shown', 'risk', 'per', 'both'].map((name) => scope.verdict(name, false));
  };
  t.same(ask({ side: 'sender' }), [-1, -1, 1, -1, -1, -1]);
  t.same(ask({ side: 'receiver' }), [-1, -1, -1, 1, -1, -1]);
  t.same(ask({ side: 'receiver', deleteExcluded: true }), [0, -1, 0, 1, 0, -1], 'plain rules are for the sender only');
  t.same(ask({ side: 'sender', deleteExcluded: true }), [-1, -1, 1, -1, -1, -1]);
  const scope = listOf(['-p per', '- stay']).root(readerOf({}));
  t.same([scope.verdictForDelete('d/per', false), scope.verdictForDelete('d/stay', false)], [0, -1]);
  t.equal(listOf([]).root(readerOf({})).verdict('x', false), 0);
  t.equal(listOf([]).empty, true);
  t.equal(listOf(['- x']).empty, false);
  t.end();
});

t.test('per-directory files: inheritance, clearing, anchors, nested merges', (t) => {
  const files: Record<string, string> = {
    '.r': '- top\n- /here\n',
    'a/.r': '+ top\n: .n\n',
    'a/.n': '- nested\n',
    'a/b/.r': '!\n- only\n',
    'n/.r': '- x\n',
  };
  const seen: string[] = [];
  const root = listOf([': .r']).root(readerOf(files, seen), '/base');
  const top = root.into('');
  t.same([top.verdict('top', false), top.verdict('here', false)], [-1, -1]);
  const a = root.into('a');
  t.same(verdicts(a.verdict.bind(a), ['a/top', 'a/here', 'a/nested']), [1, 0, -1]);
  const b = root.into('a/b');
  t.same(verdicts(b.verdict.bind(b), ['a/b/top', 'a/b/only', 'a/b/nested']), [0, -1, 0]);
  t.same(verdicts(a.verdict.bind(a), ['a/nested']), [-1], 'scopes stay as they are');
  t.same(seen, ['.r', 'a/.r', 'a/.n', 'a/b/.r', 'a/b/.n'], 'each file once in a depth-first walk');
  const other = listOf([':n .r']).root(readerOf({ ...files, 'n/m/.q': '' }), '/base');
  const n = other.into('n');
  t.equal(n.verdict('n/x', false), -1);
  t.equal(other.into('n/m').verdict('n/m/x', false), 0, 'not inherited');
  const again = listOf([': .r']).root(readerOf(files), '/base');
  t.equal(again.into('a/b').verdict('a/b/top', false), 0, 'a directory entered without its parents');
  t.equal(again.into('c').verdict('c/top', false), 0, 'the root counts only once it was entered');
  again.into('');
  t.equal(again.into('c').verdict('c/top', false), -1);
  t.end();
});

function verdicts(verdict: (path: string, isDir: boolean) => Verdict, paths: string[]): Verdict[] {
  return paths.map((path) => verdict(path, false));
}

t.test('merge files above the transfer', (t) => {
  const files = { '/.f': '- high\n- /x/rooted\n', '/x/.f': '- mid\n- /y/only\n', '.f': '- low\n' };
  const seen: string[] = [];
  const list = listOf([': /.f']);
  const scope = list.root(readerOf(files, seen), '/x/y').into('');
  t.same(seen, ['/.f', '/x/.f', '.f']);
  t.same(verdicts(scope.verdict.bind(scope), ['high', 'rooted', 'mid', 'only', 'low']), [-1, 0, -1, -1, -1]);
  const child = list.root(readerOf(files), '/x').into('y');
  t.same(verdicts(child.verdict.bind(child), ['y/mid', 'y/only', 'y/high']), [-1, -1, -1]);
  const up = listOf([': ../.f']).root(readerOf(files), '/x/y').into('');
  t.same(verdicts(up.verdict.bind(up), ['high', 'mid', 'low']), [0, -1, -1]);
  const aside = listOf([': /z/.f']).root(readerOf(files), '/x/y').into('');
  t.same(verdicts(aside.verdict.bind(aside), ['high', 'mid', 'low']), [0, 0, -1], 'no parent: only the name counts');
  t.end();
});

t.test('cvs rules come last, whenever they are added', (t) => {
  const list = listOf([], { files: { '/h/.cvsignore': 'mine other' } });
  const own = new FilterList({
    side: 'sender',
    protocol: 32,
    deleteExcluded: false,
    reader: readerOf({ '/h/.cvsignore': 'mine other' }),
    cvs: { home: '/h', names: 'env ! last' },
  });
  own.addCvsExclude();
  own.addRule('+ keep.o');
  const scope = own.root(readerOf({ 'd/.cvsignore': 'local' })).into('d');
  t.same(verdicts(scope.verdict.bind(scope), ['d/keep.o', 'd/x.o', 'd/local', 'd/last', 'd/mine']), [1, 0, -1, -1, 0]);
  t.equal(list.empty, true);
  t.end();
});

t.test('trees are matched against absolute paths where the rules say so', (t) => {
  const list = listOf(['-/ /base/sub/x', '-/ etc/pass*']);
  const scope = list.root(readerOf({}), '/base');
  t.same([scope.verdict('sub/x', false), scope.verdict('x', false), scope.verdict('/etc/passwd', false)], [-1, 0, -1]);
  t.equal(list.root(readerOf({}), '/').verdict('base/sub/x', false), -1);
  t.same(['/a/../b', 'a/./b//c', '../x', 'a/..', '/..', 'a/../../b'].map(cleanPath), [
    '/b',
    'a/b/c',
    '../x',
    '.',
    '/',
    '../b',
  ]);
  t.end();
});

t.test('module filters hide what a real daemon hides', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'm');
  for (const name of ['a/deep/er', 'b/deep', 'top', 'secret/in/side', 'c/secret'])
    mkdirSync(join(path, name), { recursive: true });
  for (const name of ['a/x.o', 'a/deep/f', 'b/f', 'top/f', 'secret/in/f', 'c/secret/f', 'c/f', 'f.o'])
    writeFileSync(join(path, name), '');
  writeFileSync(join(dir, 'from'), '/top\n- *.o\n');
  const modules: Record<string, Record<string, string>> = {
    exclude: { exclude: '*.o secret/ /b' },
    anchored: { exclude: '/a/deep/ c/f' },
    include: { include: 'a/ a/x.o + c/', exclude: '/a/** /c' },
    filter: { filter: '- *.o + deep/ - /*/*' },
    file: { 'exclude from': join(dir, 'from') },
  };
  for (const params of Object.values(modules)) params.path = path;
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'd'), modules });
  const root = Root.confined(path);
  t.teardown(() => root.close());
  for (const [name, params] of Object.entries(modules)) {
    const list = new FilterList({
      side: 'sender',
      protocol: 32,
      deleteExcluded: false,
      reader: readerOf({ [join(dir, 'from')]: '/top\n- *.o\n' }),
    });
    if (params.filter) list.addWords(params.filter);
    if (params.include) list.addWords(params.include, 'include');
    if (params['exclude from']) list.addModuleFile(params['exclude from'], 'exclude');
    if (params.exclude) list.addWords(params.exclude, 'exclude');
    for (const sub of ['', 'a/', 'a', 'secret/in/', 'b/deep/', 'c/secret/']) {
      const real = await run('rsync', ['-r', '--no-motd', daemon.url(`${name}/${sub}`)]);
      const lines = real.stdout
        .split('\n')
        .filter((line) => line !== '')
        .sort();
      const ours = ourList({ cwd: path, root, args: ['-r', `./${sub}`], daemonFilters: list, module: name });
      t.same(ours.lines, lines, `${name}/${sub}`);
      t.equal(ours.messages.length > 0, real.code !== 0, `${name}/${sub}: ${real.stderr}${ours.messages.join()}`);
    }
  }
});

t.test('a parent that is excluded takes everything below it along', (t) => {
  const list = listOf([]);
  list.addWords('secret /top/x', 'exclude');
  const scope = list.root(readerOf({}));
  t.equal(excludedByParents(scope, 'a/secret/b', false), true);
  t.equal(excludedByParents(scope, 'a/public/b', false), false);
  t.equal(excludedByParents(scope, 'top/x', false), true);
  t.equal(excludedByParents(scope, 'd/top/x', false), false);
  t.equal(excludedByParents(scope, '', true), false);
  t.equal(scope.verdict('a/secret/b', false), 0);
  t.end();
});
