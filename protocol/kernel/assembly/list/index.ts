export { decodeRows } from './decode';
export { hasEqual, indexEntries, sortEntries } from './directory';
export { encodeRows } from './encode';
export { isRight, takeFound } from './look';
