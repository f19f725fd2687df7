import { type BlockDigest, createBlockDigest } from '../../protocol/hash/digest.js';
import { createFileReceiver } from '../receiving/create.js';
import { Generator } from '../receiving/generator.js';
import type { FileReceiver } from '../receiving/landing/file-receiver.js';
import { Landing } from '../receiving/landing/landing.js';
import { Receiver } from '../receiving/receiver.js';
import type { Receiving } from '../receiving/receiving.js';
import { ItemLog } from '../session/item-log.js';
import type { Session } from '../session/session.js';
import { receiverGoodbye, receiveStatistics } from './goodbye.js';
import type { ReceivingInput } from './receiving-input.js';

/** What the roles work with that depends on nothing but the session. */
export interface RoleTools {
  blockDigest: BlockDigest;
  files: FileReceiver;
}

export async function makeTools(session: Session): Promise<RoleTools> {
  const blockDigest = await createBlockDigest(session.algorithms.transferSum, session.sumContext);
  return { blockDigest, files: await createFileReceiver(session) };
}

/** Generator and receiver of a run. Until they run, they have touched nothing. */
export class ReceivingRoles {
  private readonly generator: Generator;
  private readonly receiver: Receiver;

  constructor(
    private readonly receiving: Receiving,
    input: ReceivingInput,
    { blockDigest, files }: RoleTools,
  ) {
    const { session } = receiving;
    this.generator = new Generator(receiving, blockDigest, input.isLocal);
    const itemLog = new ItemLog(session, input.itemContext, input.transferLog);
    this.generator.itemizer.localItem = (row, iflags, xname) =>
      itemLog.change({ list: session.list, row, iflags, xname: xname === null ? null : Buffer.from(xname) });
    const landing = new Landing(receiving, (lost) => this.receiver.takeAside(lost));
    this.receiver = new Receiver(receiving, landing, files, { itemLog, progress: input.progress });
  }

  /** Runs both to the goodbye. */
  async run(): Promise<void> {
    const { receiving } = this;
    const { connection } = receiving.session;
    // rsync has a process for each role, and its closing line names the one that ended the run.
    connection.role = 'receiver';
    try {
      // The receiver first, which sends what is there when it begins: so the first requests go with what follows them.
      const finishing = this.receive();
      const generating = this.generator.run().catch((error) => {
        if (receiving.failure === null) connection.role = 'generator';
        throw error;
      });
      await together(receiving, generating, finishing);
      connection.role = 'generator';
    } finally {
      this.receiver.applyCounts();
    }
  }

  private async receive(): Promise<void> {
    const { session, lists } = this.receiving;
    await this.receiver.run();
    if (!session.isServer) await receiveStatistics(session);
    await receiverGoodbye(session, lists);
  }
}

/** Both roles run side by side; when one fails, the other one must not wait for it any longer. */
async function together(receiving: Receiving, ...roles: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(
    roles.map((role) =>
      role.catch((error: Error) => {
        receiving.fail(error);
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw receiving.failure ?? result.reason;
}
