import { parentPort, workerData } from 'node:worker_threads';
import { loadKoffiFrom } from '../../libc/koffi.js';
import { hasLibc } from '../../libc/libc.js';
import { loadWhole } from '../../libc/thread-loading.js';
import { createCompressor } from '../index.js';
import type { CodecThreadData } from './aside-compressor.js';
import { JobDoer } from './job-doer.js';

/** The program of the thread that compresses. */
const port = parentPort!;
const data = workerData as CodecThreadData;
const codec = loadWhole(data.loading, () => {
  if (data.koffi !== '') loadKoffiFrom(data.koffi);
  // Copies into shared memory are the C library's.
  hasLibc();
  return createCompressor(data.codec, data.state);
});
const doer = new JobDoer(
  data.memory,
  codec,
  (bytes, from, to) => codec.hold?.(bytes, from, to),
  () => port.postMessage('progress'),
);
port.postMessage('ready');
doer.run();
process.exit();
