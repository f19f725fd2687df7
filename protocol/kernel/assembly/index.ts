export { hasSum, readAnswers } from './receive-answers';
export { blockRecords, blockSums, sumOf } from './sums';
export { build, configure, foundHead, head, scan, seek } from './search';
export { xxh128, xxh128Final, xxh128Seed, xxh128Start, xxh128Update } from './xxh128';
