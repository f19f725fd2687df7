import t from 'tap';
import { OPTION_LINES } from './options-lines.js';
import { inParallel, OptionRunner } from './options-suite.js';

t.test('command lines', { timeout: 300_000 }, async (t) => {
  const runner = new OptionRunner(t);
  await inParallel(OPTION_LINES, (line) => runner.line(t, line));
});
