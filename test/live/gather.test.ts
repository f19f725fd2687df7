import t from 'tap';
import { Gather } from '../../src/live/gather.js';

const START = 1_000_000;

/** A storm's sessions, of `ms` each and as soon as they may; returns when the last one ended. */
function storm(gather: Gather, sessions: number, ms: number): number {
  let now = START;
  for (let i = 0; i < sessions; i++) {
    gather.note(1000, now, now + ms);
    now += ms;
    if (i < sessions - 1) now = gather.next(now + 1000);
  }
  return now;
}

t.test('a change that comes alone goes at once', async (t) => {
  const gather = new Gather();
  t.ok(gather.next(START) <= START);
  gather.note(1, START, START + 5);
  t.ok(gather.next(START + 300) <= START + 300);
});

t.test('in a storm many changes share a session, and the last ones wait for the lull only', async (t) => {
  const gather = new Gather();
  const ended = storm(gather, 8, 50);
  t.equal(gather.next(ended + 1000), ended + 50, 'while changes go on');
  t.equal(gather.next(ended - 5), ended + 15, 'when they ended during the session');
  t.equal(gather.next(ended - 500), ended + 10, 'when they ended long before');
});

t.test('a steady trickle gets a bounded number of sessions a second', async (t) => {
  const gather = new Gather();
  let now = START;
  for (let i = 0; i < 400; i++) {
    gather.note(1, now, now + 2);
    now = Math.max(now + 3, gather.next(now + 3));
  }
  const seconds = (now - START) / 1000;
  t.ok(seconds > (400 - 100 - 20) / 20 - 1, `400 sessions in ${seconds} s`);
});
