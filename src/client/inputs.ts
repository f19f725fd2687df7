import type { FilterReader } from '../../protocol/filter/rules.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { buildFilters, filterReader } from '../transfer/filters.js';
import { readNamesFile } from '../transfer/names.js';
import type { Job } from './target.js';

/** What a client reads before it connects to anybody. */
export interface RunInputs {
  /** Content of the --files-from file; null when there is none on this side. */
  names: Buffer | null;
  /** Gives the files that rules come from, as they were read. */
  rules: FilterReader;
  /** The rules of the options, in the full syntax, without those of -C. */
  ruleTexts(protocol: number): ByteString[];
}

/** Reads each file once: standard input has its rules but once, and both sides of a local copy want them. */
function readOnce(from: FilterReader): FilterReader {
  const known = new Map<ByteString, Buffer | null>();
  return {
    read(path) {
      let content = known.get(path);
      if (content === undefined) {
        content = from.read(path);
        known.set(path, content);
      }
      return content;
    },
  };
}

/**
 * Reads the files that the options name rules and names in, so that what is wrong with them is told before a connection
 * is opened. Errors: exit code 1 or 11, in the name of the client.
 */
export function readInputs(o: CommandOptions, job: Job): RunInputs {
  const rules = readOnce(filterReader(o));
  const filtersFor = (options: CommandOptions, protocol: number) =>
    buildFilters({
      options,
      protocol,
      side: job.direction === 'push' || job.direction === 'local' ? 'sender' : 'receiver',
      isServer: false,
      isLocal: job.remote === null,
      reader: rules,
      report: () => {},
      trace: () => {},
    });
  filtersFor(o, o.protocol);
  const names = o.filesFrom !== '' && job.filesFromRemote === '' ? readNamesFile(o.filesFrom, o) : null;
  return { names, rules, ruleTexts: (protocol) => filtersFor({ ...o, cvsExclude: false }, protocol).texts };
}
