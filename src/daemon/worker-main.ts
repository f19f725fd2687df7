import { allowEngineLimits, stayForLong } from '../session/engine.js';
import { runWorker } from './worker.js';

allowEngineLimits();
stayForLong();
runWorker();
