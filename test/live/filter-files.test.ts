import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import type { MirrorSpec } from '../../src/live/types.js';
import { becomesEqual } from '../lib/mirror.js';
import { place, type Running, running, targetOf } from '../lib/mirrored.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { cleanEnv } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

interface Setting {
  program: Program;
  options: string[];
  via?: MirrorSpec['watchVia'];
  /** The source is named without a slash at its end. */
  itself?: boolean;
}

/** A mirror beside what the real rsync makes of the same source, run by hand after each step. */
class Compared {
  private readonly reference: string;

  constructor(
    private readonly t: Test,
    private readonly setting: Setting,
    private readonly source: string,
    private readonly copy: string,
    private readonly mirror: Running,
  ) {
    this.reference = join(source, '../reference');
    this.rsync(this.reference);
  }

  private rsync(dest: string): void {
    const { options, itself } = this.setting;
    // A mirror compares fractions of seconds.
    const args = ['--modify-window=-1', ...options, itself ? this.source : `${this.source}/`, `${dest}/`];
    execFileSync(RSYNC.command, args, { env: cleanEnv() });
  }

  at(name: string): string {
    return join(this.source, name);
  }

  write(name: string, content: string): void {
    fs.mkdirSync(dirname(this.at(name)), { recursive: true });
    fs.writeFileSync(this.at(name), content);
  }

  /** Does something, and waits until the copy is what rsync makes of it, and each directory that counts is watched. */
  async step(what: string, act: () => void): Promise<void> {
    act();
    this.rsync(this.reference);
    await becomesEqual(this.reference, this.copy, { root: !this.setting.itself }).catch((error: Error) => {
      throw new Error(`${what}: ${error.message}`);
    });
    await this.isWatched(what);
    this.t.pass(what);
  }

  private async isWatched(what: string): Promise<void> {
    const status = () => this.mirror.mirror.status();
    if (status().via !== 'inotify') return;
    const fresh = tempDir(this.t);
    this.rsync(fresh);
    const find = ['-type', 'd', '-printf', 'x'];
    const wanted = execFileSync('find', [this.setting.itself ? join(fresh, 'source') : fresh, ...find]).length;
    await waitFor(() => status().watches === wanted, 5000, `${wanted} watches after: ${what}`);
  }
}

async function begin(t: Test, setting: Setting, fill: (write: (name: string, content: string) => void) => void) {
  const { source, copy, daemon } = await place(t, setting.program);
  fill((name, content) => {
    fs.mkdirSync(dirname(join(source, name)), { recursive: true });
    fs.writeFileSync(join(source, name), content);
  });
  const { options, itself, via = 'inotify' } = setting;
  const spec = { watchVia: via, pollMs: 100, sources: [itself ? source : `${source}/`] };
  const mirror = await running(t, source, [targetOf(daemon, options)], spec);
  return new Compared(t, setting, source, copy, mirror);
}

function someTree(write: (name: string, content: string) => void): void {
  for (const dir of ['', 'a/', 'a/sub/', 'a/skip/', 'a/skip/deep/', 'b/']) {
    write(`${dir}text`, `text of ${dir}`);
    write(`${dir}x.o`, `object of ${dir}`);
  }
}

const NO_FANOTIFY = process.getuid?.() === 0 ? false : 'fanotify needs root';

/** What becomes of a tree when a file of rules comes, changes and goes in its directories. */
async function everyChange(c: Compared): Promise<void> {
  await c.step('rules come', () => c.write('a/.rsync-filter', '- *.o\n- /skip/\n'));
  await c.step('changes of what does not count', () => {
    c.write('a/skip/deep/text', 'changed meanwhile');
    c.write('a/skip/more/text', 'made meanwhile');
    c.write('a/text', 'counts');
  });
  await c.step('fewer rules', () => c.write('a/.rsync-filter', '- *.o\n'));
  await c.step('changes of what counts again', () => c.write('a/skip/deep/text', 'once more'));
  await c.step('rules go', () => fs.unlinkSync(c.at('a/.rsync-filter')));
  await c.step('rules saved by a rename', () => {
    c.write('b/saved', '- *.o\n');
    fs.renameSync(c.at('b/saved'), c.at('b/.rsync-filter'));
  });
  await c.step('rules moved', () => fs.renameSync(c.at('b/.rsync-filter'), c.at('a/sub/.rsync-filter')));
  await c.step('rules of the root', () => c.write('.rsync-filter', '- /b\n- /a/skip\n'));
  await c.step('a directory under them', () => c.write('b/new/text', 'not seen'));
  await c.step('none of the root', () => fs.unlinkSync(c.at('.rsync-filter')));
  await c.step('changes of that directory', () => c.write('b/new/text', 'seen'));
}

for (const [program, ...options] of [
  [RSYNC, '-aF', '--delete'],
  [TSRSYNC, '-aFF', '--delete', '--delete-excluded'],
] as const) {
  t.test(`${program.name}: files of rules change, ${options.join(' ')}`, async (t) => {
    await everyChange(await begin(t, { program, options }, someTree));
  });
}

for (const [via, skip] of [
  ['fanotify', NO_FANOTIFY],
  ['poll', false],
] as const) {
  t.test(`where directories have no watches of their own: ${via}`, { skip }, async (t) => {
    const c = await begin(t, { program: RSYNC, options: ['-aF'], via }, (write) => {
      someTree(write);
      write('.rsync-filter', '- /b\n- /a/skip/deep\n');
    });
    await c.step('what does not count', () => {
      c.write('b/text', 'not seen');
      c.write('a/skip/deep/text', 'not seen');
      c.write('a/text', 'seen');
    });
    await c.step('fewer rules', () => c.write('.rsync-filter', '- /a/skip\n'));
    await c.step('what counts again', () => {
      c.write('b/new/text', 'seen');
      c.write('a/skip/deep/text', 'not seen');
    });
    await c.step('no rules', () => fs.unlinkSync(c.at('.rsync-filter')));
    await c.step('all counts', () => c.write('a/skip/deep/text', 'seen'));
  });
}

t.test('directories with rules that come and move', async (t) => {
  const c = await begin(t, { program: RSYNC, options: ['-aF', '--delete'] }, (write) => {
    someTree(write);
    write('../outside/skip/deep/text', 'x');
    write('../outside/x.o', 'x');
    write('../outside/.rsync-filter', '- *.o\n- /skip/\n');
  });
  await c.step('in', () => fs.renameSync(c.at('../outside'), c.at('inside')));
  await c.step('within', () => fs.renameSync(c.at('inside'), c.at('a/inside')));
  await c.step('and lose them', () => fs.renameSync(c.at('a/inside/.rsync-filter'), c.at('../rules')));
  await c.step('and are watched', () => c.write('a/inside/skip/deep/text', 'seen'));
  await c.step('beside one with rules', () => {
    c.write('ruled/.rsync-filter', '- inside\n');
    fs.renameSync(c.at('a/inside'), c.at('ruled/inside'));
  });
  await c.step('and are not watched', () => c.write('ruled/inside/skip/deep/text', 'not seen'));
  await c.step('and out', () => fs.renameSync(c.at('ruled/inside'), c.at('inside')));
});

t.test('-C', async (t) => {
  const c = await begin(t, { program: RSYNC, options: ['-aC', '--delete'], itself: true }, someTree);
  await c.step('names come', () => c.write('a/.cvsignore', 'skip text\n'));
  await c.step('a name fewer', () => c.write('a/.cvsignore', 'text\n'));
  await c.step('which is watched', () => c.write('a/skip/deep/text', 'seen'));
  await c.step('names go', () => fs.unlinkSync(c.at('a/.cvsignore')));
});

t.test('files of rules that others name', async (t) => {
  // Without deletions: whether those go by a file from the root as it was or as it is now is left to chance.
  const options = ['-a', '--filter=dir-merge .rules'];
  const c = await begin(t, { program: TSRSYNC, options }, (write) => {
    someTree(write);
    write('a/.rules', ': .more\n. common\n');
    write('common', '- text\n');
  });
  await c.step('in each directory', () => c.write('a/skip/.more', '- /deep\n'));
  await c.step('for all', () => c.write('common', '- *.o\n'));
  await c.step('in each no more', () => fs.unlinkSync(c.at('a/skip/.more')));
  await c.step('and are watched', () => c.write('a/skip/deep/text', 'seen'));
});

t.test('rules for one target are a plain file for the other', async (t) => {
  const [one, two] = [await place(t, RSYNC), await place(t, RSYNC)];
  fs.mkdirSync(join(one.source, 'd'));
  fs.writeFileSync(join(one.source, 'd/x.o'), 'x');
  const targets = [
    targetOf(one.daemon, ['-aFF', '--delete'], 'ruled'),
    targetOf(two.daemon, ['-a', '--delete'], 'all'),
  ];
  const { mirror } = await running(t, one.source, targets);
  fs.writeFileSync(join(one.source, '.rsync-filter'), '- /d\n');
  await becomesEqual(one.source, two.copy);
  await waitFor(() => fs.readdirSync(one.copy).length === 0, 5000, 'nothing to be left');
  t.equal(mirror.status().watches, 2, 'what counts for one is watched');
  fs.writeFileSync(join(one.source, 'd/y.o'), 'y');
  await becomesEqual(one.source, two.copy);
  t.same(fs.readdirSync(one.copy), []);
});

t.test('rules above the source hold when everything is compared', async (t) => {
  const { source, copy, daemon } = await place(t, RSYNC);
  fs.mkdirSync(join(source, 'd/e'), { recursive: true });
  fs.writeFileSync(join(source, '../.rsync-filter'), '- e\n');
  const { mirror } = await running(t, source, [targetOf(daemon, ['-aF', '--delete'])]);
  t.equal(mirror.status().watches, 2);
  fs.unlinkSync(join(source, '../.rsync-filter'));
  mirror.resync();
  await becomesEqual(source, copy);
  t.equal(mirror.status().watches, 3);
  fs.writeFileSync(join(source, 'd/e/f'), 'seen');
  await becomesEqual(source, copy);
});
