import { parentPort, workerData } from 'node:worker_threads';
import type { WorkMemory } from '../../../protocol/kernel/work-kernel.js';
import { loadKoffiFrom } from '../../libc/koffi.js';
import type { ThreadData } from '../../libc/thread-program.js';
import { FileWorker } from './worker.js';

/** The program of the thread for file work. Its first message says whether it can work at all. */
const port = parentPort!;
const { memory, koffi } = workerData as ThreadData<WorkMemory>;
if (koffi !== '') loadKoffiFrom(koffi);
const worker = FileWorker.create(memory, () => port.postMessage('done'));
port.postMessage(worker === null ? 'impossible' : 'ready');
worker?.run();
process.exit();
