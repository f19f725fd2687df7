import { parseTarget } from '../client/target.js';
import type { ItemListener } from '../session/item-listener.js';
import { type ItemStream, startRun } from './item-stream.js';
import { listedFile } from './items.js';
import { parseRun, runTransfer } from './run.js';
import { toBytes } from './text.js';
import type { ListedFile, Run, RunOptions } from './types.js';

/** A module of a daemon. */
export interface ListedModule {
  name: string;
  comment: string;
}

/** The modules of a daemon that it lists: `listModules('host::')`. Rejects with RsyncError, or TypeError for another place. */
export async function listModules(daemon: string, run: RunOptions = {}): Promise<ListedModule[]> {
  const target = parseTarget(toBytes(daemon));
  if (target.kind !== 'daemon' || target.module !== '') throw new TypeError(`${daemon} names no daemon`);
  const modules: ListedModule[] = [];
  const onOutput = (line: string) => {
    const tab = line.indexOf('\t');
    if (tab >= 0) modules.push({ name: line.slice(0, tab).trimEnd(), comment: line.slice(tab + 1) });
    run.onOutput?.(line);
  };
  await runTransfer(parseRun([daemon], run), { ...run, onOutput });
  return modules;
}

/**
 * The files at a place, remote or local: `list('host::module/dir/')`; with `-r` among the options those below it as well.
 * Resolves with all of them, or, when it is iterated over, hands over one after the other and resolves with none.
 * Rejects with RsyncError.
 */
export function list(place: string, run: RunOptions = {}): Run<ListedFile, ListedFile[]> {
  return startRun((stream) => listTo(stream, place, run));
}

async function listTo(stream: ItemStream<ListedFile> | null, place: string, run: RunOptions): Promise<ListedFile[]> {
  const o = parseRun([place], run);
  o.listOnly = true;
  if (!o.recurse) o.dirs ||= 1;
  o.links = true;
  const files: ListedFile[] = [];
  const listener: ItemListener = {
    listed({ list: rows, connection }, row) {
      const file = listedFile(rows, row);
      if (stream === null) files.push(file);
      else stream.push(file, connection);
    },
    changed() {},
    deleted() {},
  };
  await runTransfer(o, run, { listener, signal: stream?.signal });
  return files;
}
