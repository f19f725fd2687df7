export { begin, openFiles, sendFiles } from './files';
export { packFiles } from './packed';
export { readRequests } from './requests';
