import { runCount } from './count.js';
import { runMain } from './main.js';

runMain(runCount);
