import type { ByteString } from '../../protocol/options.js';
import { formatTime } from '../libc/time.js';
import { eventText } from './events.js';

/** One event as it is shown: the watched thing ('dir/' for a directory), and the name in it ('' for itself). */
export interface ShownEvent {
  watched: ByteString;
  name: ByteString;
  mask: number;
  cookie: number;
}

/** Longest text of one event, as in inotify-tools. */
const LONGEST = 4096;

/** Writes an event after a format with `%w %f %e %Xe %T %c %0 %n %%`; anything else stands for itself. */
export function formatEvent(format: ByteString, timeFormat: ByteString, event: ShownEvent): ByteString {
  const text = format.replace(/%(?:([^wfecT0n%])e|([\s\S]))/g, (whole, separator?: string, letter?: string) => {
    if (separator !== undefined) return eventText(event.mask, separator);
    switch (letter) {
      case 'w':
        return event.watched;
      case 'f':
        return event.name;
      case 'e':
        return eventText(event.mask, ',');
      case 'c':
        return event.cookie.toString(16);
      case 'T':
        return timeFormat === '' ? '' : formatTime(timeFormat, Date.now() / 1000);
      case '0':
        return '\0';
      case 'n':
        return '\n';
      case '%':
        return '%';
      default:
        return whole;
    }
  });
  return text.slice(0, LONGEST);
}

/** A line of comma-separated values: watched thing, events, name. */
export function csvLine(event: ShownEvent): ByteString {
  return `${[event.watched, eventText(event.mask, ','), event.name].map(csvField).join(',')}\n`;
}

/** Quoted when there is something in it that could be mistaken. */
function csvField(text: ByteString): ByteString {
  if (!/[",\n]|^ | $/.test(text)) return text;
  return `"${text.replaceAll('"', '""')}"`;
}
