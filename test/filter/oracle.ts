import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { FilterList } from '../../protocol/filter/rules.js';
import { EntryFlag, FileList, rowAt, type Segment } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import type { Options } from '../../protocol/options.js';
import { parseCommand } from '../../src/cli/options.js';
import type { Root } from '../../src/files/root.js';
import { listLine } from '../../src/report/listing.js';
import { Scanner } from '../../src/sending/scan/scan.js';
import { cleanEnv } from '../lib/run.js';

/** What a sender's scan came to. */
export interface Listed {
  /** Lines of a listing (mode, size, time, name and target), sorted, each once. */
  lines: string[];
  messages: string[];
  ioError: number;
  list: FileList;
  scanner: Scanner;
}

export interface ListSettings {
  cwd: string;
  /** Options and sources, as on a command line. */
  args: string[];
  incremental?: boolean;
  protocol?: number;
  root?: Root | null;
  module?: string;
  daemonFilters?: FilterList | null;
  home?: string;
}

function optionsOf(args: string[], cwd: string): { options: Options; sources: string[] } {
  const { options } = parseCommand([...args, '--list-only', `${cwd}/nowhere/`], {});
  return { options, sources: options.args.slice(0, -1) };
}

export function filtersOf(options: Options, s: ListSettings): FilterList {
  const filters = new FilterList({
    side: 'sender',
    protocol: s.protocol ?? 32,
    deleteExcluded: options.deleteExcluded,
    reader: {
      read(path) {
        try {
          return readFileSync(Buffer.from(isAbsolute(path) ? path : join(s.cwd, path), 'latin1'));
        } catch {
          return null;
        }
      },
    },
    cvs: { home: s.home ?? null, names: null },
  });
  for (const source of options.filters) filters.addSource(source, options.from0);
  if (options.cvsExclude) filters.addCvsExclude();
  return filters;
}

/** Lists sources with our scanner, the way a session drives it. */
export function ourList(s: ListSettings): Listed {
  const { options, sources } = optionsOf(s.args, s.cwd);
  const protocol = s.protocol ?? 32;
  const incremental = s.incremental ?? false;
  const list = new FileList();
  const messages: string[] = [];
  const scanner = new Scanner({
    options,
    list,
    protocol,
    incremental,
    filters: filtersOf(options, s),
    daemonFilters: s.daemonFilters ?? null,
    sumRow: null,
    report: (_kind, text) => messages.push(text),
    cwd: s.cwd,
    root: s.root ?? null,
    module: s.module ?? null,
  });
  for (const source of sources) scanner.addArgument(source);
  while (!incremental && scanner.step());
  closeSegment(list, -1, protocol, incremental);
  if (incremental) listDirectories(list, scanner, protocol);
  const lines: string[] = [];
  for (let row = 0; row < list.count; row++) {
    // What a receiver does before it shows a list: names lose their leading slash, unwanted parents are not shown.
    if (!options.impliedDirs && list.flags(row) & EntryFlag.IMPLIED_DIR) continue;
    lines.push(
      listLine(list, row, options)
        .trimEnd()
        .replace(/^(\S+ +\S+ \S+ \S+ )\//, '$1'),
    );
  }
  return { lines: [...new Set(lines)].sort(), messages, ioError: scanner.ioError, list, scanner };
}

function closeSegment(list: FileList, parentRow: number, protocol: number, incremental: boolean): Segment {
  const segment = list.addSegment(parentRow, incremental);
  finishSegment(list, segment, { protocol, removeDuplicates: false, incremental, pruneEmptyDirs: false });
  return segment;
}

function listDirectories(list: FileList, scanner: Scanner, protocol: number): void {
  const waiting: number[] = [];
  const push = (segment: Segment): void => {
    for (let i = segment.count - 1; i >= 0; i--) {
      const row = rowAt(segment, i);
      if (list.isDir(row) && list.baseName(row) !== '.') waiting.push(row);
    }
  };
  push(list.segments.at(0));
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    scanner.scanDirectory(row);
    push(closeSegment(list, row, protocol, true));
  }
}

export interface RealListed {
  lines: string[];
  messages: string[];
  code: number;
}

/** The same with the real rsync. */
export function realList(s: Pick<ListSettings, 'args' | 'cwd' | 'home'>, ...more: string[]): RealListed {
  const args = [...s.args, ...more, '--list-only', '--no-inc-recursive', `${s.cwd}/nowhere/`];
  const result = spawnSync('rsync', args, {
    cwd: s.cwd,
    encoding: 'latin1',
    env: cleanEnv({ HOME: s.home ?? '/nonexistent' }),
  });
  if (result.error) throw result.error;
  const isLine = (line: string) => /^[-dlcbps?][-rwxsStT]{9} /.test(line);
  const lines = result.stdout.split('\n').filter((line) => line !== '');
  const messages = [...lines.filter((line) => !isLine(line)), ...result.stderr.split('\n')];
  return {
    lines: [...new Set(lines.filter(isLine))].sort(),
    messages: messages.filter((line) => line !== '' && !line.startsWith('rsync error:')),
    code: result.status ?? -1,
  };
}
