export { blockSums, sumOf } from './sums';
export { build, configure, foundHead, head, scan, seek } from './search';
