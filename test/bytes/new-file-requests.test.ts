import fc from 'fast-check';
import t from 'tap';
import { NdxWriter } from '../../protocol/bytes/ndx.js';
import { Item, NDX_DONE } from '../../protocol/constants.js';
import { EMPTY_HEAD, writeSumHead } from '../../protocol/delta/blocks.js';
import { NewFileRequests, writeItem } from '../../protocol/request.js';
import { collector } from '../flist/capture.js';

const PROTOCOL = 32;

/** Runs of requests: how far the first index is from that before, and how many there are. */
const runs = fc.array(fc.tuple(fc.integer({ min: -300, max: 70_000 }), fc.integer({ min: 1, max: 2000 })), {
  minLength: 1,
  maxLength: 8,
});

t.test('requests that are written in runs are the same bytes as one by one', async (t) => {
  fc.assert(
    fc.property(
      runs,
      fc.constantFrom(Item.TRANSFER | Item.IS_NEW, Item.TRANSFER | Item.REPORT_CHANGE),
      (steps, iflags) => {
        const [inRuns, single] = [collector(), collector()];
        const [ndxOut, ndxSingle] = [new NdxWriter(PROTOCOL), new NdxWriter(PROTOCOL)];
        const requests = new NewFileRequests(iflags);
        let next = 1000;
        for (const [step, count] of steps) {
          const first = Math.max(0, next + step);
          requests.write(inRuns.writer, ndxOut, first, count);
          ndxOut.write(inRuns.writer, NDX_DONE);
          for (let ndx = first; ndx < first + count; ndx++) {
            writeItem(single.writer, ndxSingle, PROTOCOL, ndx, iflags, 0x80, null);
            writeSumHead(single.writer, EMPTY_HEAD);
          }
          ndxSingle.write(single.writer, NDX_DONE);
          next = first + count;
        }
        t.ok(inRuns.taken().equals(single.taken()));
      },
    ),
    { numRuns: 30 },
  );
});
