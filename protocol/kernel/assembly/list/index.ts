export { decodeRows } from './decode';
export { indexEntries, sortEntries } from './directory';
export { encodeRows } from './encode';
export { isRight, takeFound } from './look';
