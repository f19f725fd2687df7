import t from 'tap';
import { OPTION_CASES } from './options-cases.js';
import { inParallel, OptionRunner, REMOTE_ROUTES } from './options-suite.js';

const TIMEOUT = 180_000;

t.test('options, on this machine alone', { timeout: TIMEOUT }, async (t) => {
  const runner = new OptionRunner(t);
  await inParallel(OPTION_CASES, (option) => runner.local(t, option));
});

t.test('options, each over one of the remote ways in turn', { timeout: TIMEOUT }, async (t) => {
  const runner = new OptionRunner(t);
  const remote = OPTION_CASES.filter((option) => !option.localOnly);
  await inParallel(remote, (option, index) => runner.remote(t, option, REMOTE_ROUTES[index % REMOTE_ROUTES.length]));
});
