export { begin, openFiles, sendFiles } from './files';
export { readRequests } from './requests';
