import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { becomesEqual, type RunningMirror, startInStep } from '../lib/mirror.js';
import { tempDir } from '../lib/temp.js';

/** Where a mirror of this suite sends to. */
export interface Destination {
  /** The last arguments of the command, options included. */
  args: string[];
  /** The directory that it means. */
  path: string;
}

export type MakeDestination = (t: Test, dir: string) => Promise<Destination>;

interface Case {
  source: string;
  copy: string;
  mirror: RunningMirror;
  equal(): Promise<void>;
}

async function begin(t: Test, make: MakeDestination, options: string[], fill: (source: string) => void): Promise<Case> {
  const dir = tempDir(t);
  const source = join(dir, 'source');
  fs.mkdirSync(source);
  fill(source);
  const { args, path } = await make(t, dir);
  const mirror = await startInStep(t, [...options, `${source}/`, ...args]);
  return { source, copy: path, mirror, equal: () => becomesEqual(source, path) };
}

function someTree(source: string): void {
  fs.mkdirSync(join(source, 'dir/sub'), { recursive: true });
  fs.writeFileSync(join(source, 'file'), 'content');
  fs.writeFileSync(join(source, 'dir/one'), 'one');
  fs.writeFileSync(join(source, 'dir/sub/two'), 'two');
  fs.symlinkSync('file', join(source, 'link'));
}

/** What people do to their files all day, each followed by a look at the other side. */
export function everydaySuite(t: Test, make: MakeDestination): void {
  t.test('single changes of every kind', async (t) => {
    const c = await begin(t, make, ['-aH', '--delete'], someTree);
    const at = (name: string) => join(c.source, name);
    const steps: [string, () => void][] = [
      ['nothing yet', () => {}],
      ['a new file', () => fs.writeFileSync(at('new'), 'new')],
      ['a write', () => fs.writeFileSync(at('file'), 'other content')],
      ['a mode', () => fs.chmodSync(at('file'), 0o600)],
      ['a time', () => fs.utimesSync(at('file'), 1e9, 1e9 + 0.5)],
      ['deep directories', () => fs.mkdirSync(at('a/b/c/d'), { recursive: true })],
      ['a file in them', () => fs.writeFileSync(at('a/b/c/d/e'), 'deep')],
      ['a symlink', () => fs.symlinkSync('nowhere', at('dangling'))],
      ['a hard link', () => fs.linkSync(at('new'), at('dir/linked'))],
      ['a fifo', () => execFileSync('mkfifo', [at('pipe')])],
      ['a move within a directory', () => fs.renameSync(at('new'), at('newer'))],
      ['a move to another one', () => fs.renameSync(at('newer'), at('a/newest'))],
      ['a move of a directory', () => fs.renameSync(at('dir'), at('a/b/dir'))],
      ['a move out', () => fs.renameSync(at('a/b'), join(c.source, '../b'))],
      ['and back in under another name', () => fs.renameSync(join(c.source, '../b'), at('back'))],
      ['a file in the place of a directory', () => replaceDirectory(at('a'))],
      ['a directory in the place of a file', () => replaceFile(at('file'))],
      ['a removed file', () => fs.unlinkSync(at('back/c/d/e'))],
      ['a removed tree', () => fs.rmSync(at('back'), { recursive: true })],
      ['a temporary file renamed over a name', () => execFileSync('sed', ['-i', 's/file/FILE/', at('file/inner')])],
      ['a name that is not UTF-8', () => fs.writeFileSync(Buffer.from(`${c.source}/caf\xe9\n`, 'latin1'), 'x')],
    ];
    for (const [what, step] of steps) {
      step();
      await c.equal();
      t.pass(what);
    }
    // Events of what is on the other side already may still wait to be looked at.
    const code = await c.mirror.stop();
    const said = code === 0 ? /ended; nothing was waiting/ : /ended; \d+ changes? (was|were) still waiting/;
    t.match(c.mirror.output(), said);
    t.ok(code === 0 || code === 20, `exit code ${code}`);
  });

  t.test('without --delete nothing is deleted', async (t) => {
    const c = await begin(t, make, ['-a'], someTree);
    fs.unlinkSync(join(c.source, 'file'));
    fs.renameSync(join(c.source, 'dir'), join(c.source, 'other'));
    fs.writeFileSync(join(c.source, 'last'), 'last');
    const both = ['dir', 'file', 'last', 'link', 'other'];
    await becomesEqual(join(c.source, 'other'), join(c.copy, 'other'));
    await becomesEqual(join(c.source, 'last'), join(c.copy, 'last'));
    t.same(fs.readdirSync(c.copy), both);
    t.same(fs.readdirSync(join(c.copy, 'dir')), ['one', 'sub']);
  });

  t.test('rules keep their meaning', async (t) => {
    const options = ['-a', '--delete', '--exclude=*.tmp', '--exclude=/skipped/', '--filter=P kept'];
    const c = await begin(t, make, options, someTree);
    fs.writeFileSync(join(c.copy, 'kept'), 'only there');
    fs.writeFileSync(join(c.source, 'kept'), 'here, too');
    fs.mkdirSync(join(c.source, 'skipped'));
    fs.writeFileSync(join(c.source, 'skipped/x'), 'x');
    fs.writeFileSync(join(c.source, 'dir/x.tmp'), 'x');
    fs.writeFileSync(join(c.source, 'dir/x'), 'x');
    await becomesEqual(join(c.source, 'dir/x'), join(c.copy, 'dir/x'));
    await becomesEqual(join(c.source, 'kept'), join(c.copy, 'kept'));
    fs.unlinkSync(join(c.source, 'kept'));
    fs.unlinkSync(join(c.source, 'dir/x'));
    fs.writeFileSync(join(c.source, 'z'), 'z');
    await becomesEqual(join(c.source, 'z'), join(c.copy, 'z'));
    t.same(fs.readdirSync(c.copy), ['dir', 'file', 'kept', 'link', 'z']);
    t.same(fs.readdirSync(join(c.copy, 'dir')), ['one', 'sub']);
  });

  t.test('a tree copied in, a thousand files written in a loop, a tree removed', async (t) => {
    const c = await begin(t, make, ['-a', '--delete'], someTree);
    execFileSync('cp', ['-a', '/usr/include/linux', join(c.source, 'copied')]);
    for (let i = 0; i < 1000; i++) fs.writeFileSync(join(c.source, `loop${i}`), `${i}`);
    await c.equal();
    fs.rmSync(join(c.source, 'copied'), { recursive: true });
    for (let i = 0; i < 1000; i++) fs.unlinkSync(join(c.source, `loop${i}`));
    await c.equal();
    t.match(c.mirror.output(), /in step with/);
  });
}

function replaceDirectory(path: string): void {
  fs.rmSync(path, { recursive: true });
  fs.writeFileSync(path, 'a file now');
}

function replaceFile(path: string): void {
  fs.unlinkSync(path);
  fs.mkdirSync(path);
  fs.writeFileSync(join(path, 'inner'), 'a file in it');
}
