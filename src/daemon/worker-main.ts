import { allowLessCompiling } from '../session/compiling.js';
import { runWorker } from './worker.js';

allowLessCompiling();
runWorker();
