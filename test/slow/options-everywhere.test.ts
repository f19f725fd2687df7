import t from 'tap';
import { OPTION_CASES } from '../conformance/options-cases.js';
import { inParallel, OptionRunner, REMOTE_ROUTES } from '../conformance/options-suite.js';

for (const [index, route] of REMOTE_ROUTES.entries()) {
  t.test(`every option over remote way ${index}`, { timeout: 600_000 }, async (t) => {
    const runner = new OptionRunner(t);
    const remote = OPTION_CASES.filter((option) => !option.localOnly);
    await inParallel(remote, (option) => runner.remote(t, option, route));
  });
}
