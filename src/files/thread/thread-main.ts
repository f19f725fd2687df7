import { parentPort, workerData } from 'node:worker_threads';
import type { WorkMemory } from '../../../protocol/kernel/work-kernel.js';
import { loadKoffiFrom } from '../../libc/koffi.js';
import { loadWhole } from '../../libc/thread-loading.js';
import type { ThreadData } from '../../libc/thread-program.js';
import { FileWorker } from './worker.js';

/** The program of the thread for file work. Its first message says whether it can work at all. */
const port = parentPort!;
const { memory, koffi, loading } = workerData as ThreadData<WorkMemory>;
const worker = loadWhole(loading, () => {
  if (koffi !== '') loadKoffiFrom(koffi);
  return FileWorker.create(memory, () => port.postMessage('done'));
});
port.postMessage(worker === null ? 'impossible' : 'ready');
worker?.run();
process.exit();
