import { allowEngineLimits, keepCode } from '../session/engine.js';
import { runWorker } from './worker.js';

allowEngineLimits();
keepCode();
runWorker();
