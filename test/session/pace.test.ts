import t from 'tap';
import { Pace } from '../../src/session/pace.js';

/** Milliseconds after which a slice is over, up to 100. */
function length(pace: Pace): number {
  const { now } = Date;
  let time = 1000;
  Date.now = () => time;
  try {
    pace.begin();
    while (!pace.dueNow() && time < 1100) time++;
    return time - 1000;
  } finally {
    Date.now = now;
  }
}

t.test('a slice is short, or long while that is said', async (t) => {
  const pace = new Pace();
  t.equal(length(pace), 5);
  pace.isLong = true;
  t.equal(length(pace), 41);
  pace.isLong = false;
  t.equal(length(pace), 5);
});

t.test('a clock that was set back ends a slice', async (t) => {
  const { now } = Date;
  const pace = new Pace();
  Date.now = () => 0;
  t.teardown(() => {
    Date.now = now;
  });
  t.ok(pace.dueNow());
});
