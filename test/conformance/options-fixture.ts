import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Random } from '../lib/random.js';
import { makeFifo } from '../lib/tree.js';

/** 2020-09-13: whatever a run sets to "now" cannot be taken for it. */
const OLD = 1_600_000_000.25;

function write(root: string, name: string, content: Buffer | string, mode = 0o644, time = OLD): void {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  utimesSync(path, time, time);
}

function link(root: string, name: string, target: string): void {
  symlinkSync(target, join(root, name));
  lutimesSync(join(root, name), OLD, OLD);
}

/**
 * A small place in which every option finds something to do: `src` (what is copied), `dst` (where to, with older, newer,
 * equal, edited and surplus things), `ref` (for the --*-dest options), lists and rule files beside them.
 */
export function makeFixture(root: string): void {
  const random = new Random(5);
  const text = random.bytes(60_000, true);
  const binary = random.bytes(150_000);
  const src = join(root, 'src');
  const dst = join(root, 'dst');
  const ref = join(root, 'ref');
  fillSource(src, text, binary);
  fillDestination(dst, text, binary);
  write(ref, 'a.txt', text);
  write(ref, 'sub/x.c', 'int x;\n', 0o600);
  write(ref, 'sub/deep/z', Buffer.alloc(5000, 122));
  write(ref, 'new.bin', Buffer.concat([binary, Buffer.from('tail')]), 0o644, OLD - 50);
  write(root, 'list.txt', 'sub/x.c\n./a.txt\nsub/deep/\nmissing-one\n# comment\n');
  write(root, 'list0.txt', 'sub/x.c\0with space\0');
  write(root, 'rules.txt', '- *.o\n+ sub/\n- emptydir/\n; comment\n');
  write(root, 'excludes.txt', '*.tmp\n# comment\n/sub/deep\n\n');
  for (const dir of [src, dst, ref]) ageDirs(dir);
}

function fillSource(src: string, text: Buffer, binary: Buffer): void {
  write(src, 'a.txt', text);
  write(src, 'b.c', 'int main(void) { return 0; }\n');
  write(src, 'b.o', 'object');
  write(src, 'empty', '');
  write(src, 'same.txt', 'the same\n');
  write(src, 'older.txt', 'older in the source\n');
  write(src, 'perms', 'mode differs\n', 0o640);
  write(src, 'exec.sh', '#!/bin/sh\n', 0o755);
  write(src, 'secret', 'secret\n', 0o600);
  write(src, 'with space', 'a name with a space\n');
  write(src, 'new.bin', binary);
  write(src, 'holes', Buffer.concat([Buffer.alloc(200_000), Buffer.from('x'), Buffer.alloc(100_000)]));
  write(src, 'typechange', 'a file here, a directory there\n');
  write(src, 'dirnow/in', 'a directory here, a file there\n');
  write(src, 'skip.jpg', binary.subarray(0, 9000));
  write(src, 't.tmp', 'temporary\n');
  write(src, '.cvsignore', '*.o\n');
  write(src, '.rsync-filter', '- *.tmp\n- deep/\n');
  write(src, 'sub/x.c', 'int x;\n');
  write(src, 'sub/y.o', 'object y');
  write(src, 'sub/deep/z', Buffer.alloc(5000, 122));
  write(src, 'sub/.rsync-filter', '+ y.o\n- *.c\n');
  mkdirSync(join(src, 'emptydir'));
  write(src, 'hard1', 'linked\n');
  linkSync(join(src, 'hard1'), join(src, 'sub/hard2'));
  link(src, 'link', 'a.txt');
  link(src, 'dangling', 'nowhere');
  link(src, 'unsafe', '../list.txt');
  link(src, 'dirlink', 'sub');
  makeFifo(src, 'pipe');
  lutimesSync(join(src, 'pipe'), OLD, OLD);
}

function fillDestination(dst: string, text: Buffer, binary: Buffer): void {
  const edited = Buffer.from(text);
  edited.fill(35, 30_000, 30_100);
  write(dst, 'a.txt', Buffer.concat([Buffer.from('front '), edited]), 0o644, OLD - 100);
  write(dst, 'b.c', 'int main(void) { return 1; }\n');
  write(dst, 'same.txt', 'the same\n');
  write(dst, 'older.txt', 'newer in the destination\n', 0o644, OLD + 500);
  write(dst, 'perms', 'mode differs\n', 0o600);
  write(dst, 'secret', 'secret\n', 0o600, OLD + 1);
  write(dst, 'new.bin', binary.subarray(0, 70_000), 0o600, OLD - 100);
  write(dst, 'typechange/inner', 'x');
  write(dst, 'dirnow', 'a file\n');
  write(dst, 'extra.txt', 'surplus\n');
  write(dst, 'extra.o', 'surplus object');
  write(dst, 'extradir/f', 'f');
  write(dst, 'extradir/g.o', 'g');
  write(dst, 'sub/x.c', 'int y;\n', 0o600);
  write(dst, 'sub/old', 'old\n');
  mkdirSync(join(dst, 'real'));
  link(dst, 'emptydir', 'real');
  link(dst, 'link', 'elsewhere');
}

/** Directories get old times last: making their entries changed them. */
function ageDirs(dir: string): void {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) ageDirs(path);
  }
  utimesSync(dir, OLD, OLD);
}
