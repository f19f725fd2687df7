import { IN } from '../libc/inotify.js';
import { UsageError } from './getopt.js';

/** Names of events in the order in which they are shown. */
export const EVENT_NAMES: readonly (readonly [string, number])[] = [
  ['ACCESS', IN.ACCESS],
  ['MODIFY', IN.MODIFY],
  ['ATTRIB', IN.ATTRIB],
  ['CLOSE_WRITE', IN.CLOSE_WRITE],
  ['CLOSE_NOWRITE', IN.CLOSE_NOWRITE],
  ['OPEN', IN.OPEN],
  ['MOVED_FROM', IN.MOVED_FROM],
  ['MOVED_TO', IN.MOVED_TO],
  ['CREATE', IN.CREATE],
  ['DELETE', IN.DELETE],
  ['DELETE_SELF', IN.DELETE_SELF],
  ['UNMOUNT', IN.UNMOUNT],
  ['Q_OVERFLOW', IN.Q_OVERFLOW],
  ['IGNORED', IN.IGNORED],
  ['CLOSE', IN.CLOSE_WRITE | IN.CLOSE_NOWRITE],
  ['MOVE_SELF', IN.MOVE_SELF],
  ['ISDIR', IN.ISDIR],
];

/** Names that may be asked for. */
const ASKED = new Map<string, number>([
  ...EVENT_NAMES.filter(([name]) => !/^(Q_OVERFLOW|IGNORED|ISDIR)$/.test(name)),
  ['MOVE', IN.MOVED_FROM | IN.MOVED_TO],
]);

/** The names of an event's bits, joined. */
export function eventText(mask: number, separator: string): string {
  return EVENT_NAMES.filter(([, bits]) => (mask & bits) !== 0)
    .map(([name]) => name)
    .join(separator);
}

/** The bits of one name; undefined when it is none. Upper and lower case are the same. */
export function eventBits(name: string): number | undefined {
  return ASKED.get(name.toUpperCase());
}

/** The bits of a list of names with commas. */
export function eventsAskedFor(list: string): number {
  let bits = 0;
  for (const name of list.split(',')) {
    const found = eventBits(name);
    if (found === undefined) {
      throw new UsageError(`'${list}' is not a valid event!  Run with the '--help' option to see a list of events.`);
    }
    bits |= found;
  }
  return bits;
}
