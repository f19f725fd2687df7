import { transferSuite } from './transfer-suite.js';

transferSuite('shell');
