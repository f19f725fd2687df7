import { allowLessInlining } from '../session/inlining.js';
import { runWorker } from './worker.js';

allowLessInlining();
runWorker();
