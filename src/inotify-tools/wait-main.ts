import { runMain } from './main.js';
import { runWait } from './wait.js';

runMain(runWait);
