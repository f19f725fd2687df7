import { whenManyFiles } from '../files/stat.js';
import { limitInlining } from '../session/inlining.js';
import { runWorker } from './worker.js';

whenManyFiles(limitInlining);
runWorker();
