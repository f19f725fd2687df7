import { openSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { detach, isDetachedCopy, reportStart } from '../daemon/detach.js';
import { IN } from '../libc/inotify.js';
import { Severity, Syslog } from '../report/syslog.js';
import { csvLine, formatEvent, type ShownEvent } from './format.js';
import { UsageError } from './getopt.js';
import { listen } from './listener.js';
import { writeOut } from './output.js';
import { parseWait, WAIT_HELP, WAIT_PROGRAM, type WaitOptions } from './wait-options.js';

const EXIT = { event: 0, failure: 1, timeout: 2 } as const;

function warn(text: ByteString): void {
  writeOut(2, `${text}\n`);
}

/** Where there is no system log, there is nobody else to tell. */
function toSyslog(): (text: ByteString) => void {
  const log = Syslog.open(WAIT_PROGRAM, 'daemon');
  return (text) => log?.write(Severity.INFO, text);
}

/** Runs the command; resolves with its exit code. */
export async function runWait(args: readonly ByteString[]): Promise<number> {
  try {
    const options = parseWait(args, warn);
    if (options.help) {
      writeOut(1, WAIT_HELP);
      return EXIT.event;
    }
    const isCopy = options.daemon && isDetachedCopy();
    if (options.daemon && !isCopy) return await detach(args);
    return await wait(options, isCopy);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    warn(error.message);
    return EXIT.failure;
  }
}

/** Where events are written to. */
function openOutput(outFile: ByteString | null): number {
  if (outFile === null) return 1;
  try {
    return openSync(Buffer.from(outFile, 'latin1'), 'a', 0o600);
  } catch {
    throw new UsageError(`Failed to open output file ${outFile}`);
  }
}

async function wait(options: WaitOptions, isCopy: boolean): Promise<number> {
  const say = options.syslog ? toSyslog() : warn;
  const sayLoud = (text: string): void => {
    if (options.quiet === 0) say(text);
  };
  const output = openOutput(options.outFile);
  const show = shower(options, output);
  const asked = options.events === 0 ? IN.ALL_EVENTS : options.events;
  const follow = options.monitor && options.recursive;
  let timer: NodeJS.Timeout | null = null;
  let isOver = false;
  let end: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const listener = listen({ ...options, events: asked, follow, warn: say }, (event) => {
    timer?.refresh();
    if (isOver) return;
    if ((event.mask & asked) !== 0) show(event);
    if (options.monitor) return;
    isOver = true;
    end((event.mask & asked) !== 0 ? EXIT.event : EXIT.failure);
  });
  sayLoud(`Setting up watches.${options.recursive ? '  Beware: since -r was given, this may take a while!' : ''}`);
  listener.watchAll("Couldn't watch");
  sayLoud('Watches established.');
  if (options.timeout < 0) throw new UsageError('Negative timeout specified - abort!');
  if (isCopy) await reportStart({ kind: 'started' });
  timer = timeoutOf(options.timeout, () => end(EXIT.timeout));
  const code = await ended;
  listener.close();
  return code;
}

function timeoutOf(seconds: number, onEnd: () => void): NodeJS.Timeout | null {
  return seconds > 0 ? setTimeout(onEnd, Math.min(seconds * 1000, 2 ** 31 - 1)) : null;
}

/** A function that writes an event as the options want it. */
function shower(options: WaitOptions, fd: number): (event: ShownEvent) => void {
  if (options.quiet > 1) return () => undefined;
  if (options.csv) return (event) => writeOut(fd, csvLine(event));
  const format = options.format ?? '%w %e %f';
  const end = options.newline ? '\n' : '';
  return (event) => writeOut(fd, formatEvent(format, options.timeFormat ?? '', event) + end);
}
