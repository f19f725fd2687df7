import { allowEngineLimits } from '../../session/engine.js';
import { runWorker } from './worker.js';

allowEngineLimits();
runWorker();
