import { hasLibc } from '../libc/libc.js';
import type { WhatToList } from '../sending/list-sender.js';
import type { Session } from '../session/session.js';
import type { ReceivingInput } from './receiving-input.js';
import type { SendingInput, SendingSide } from './sending-side.js';

/*
 * The two roles of a run, each loaded when a run takes it: a client has only one of them, and loading the other one
 * would take as long as all the rest of its start.
 */

const loadSender = () => import('./sending-side.js');
const loadReceiver = () => import('./receiving-side.js');

export async function createSendingSide(session: Session, input: SendingInput): Promise<SendingSide> {
  const side = await loadSender();
  return side.createSendingSide(session, input);
}

export async function runSendingSide(session: Session, input: SendingInput & WhatToList): Promise<void> {
  const side = await createSendingSide(session, input);
  await side.run(input);
}

export async function runReceivingSide(session: Session, input: ReceivingInput): Promise<void> {
  const side = await loadReceiver();
  await side.runReceivingSide(session, input);
}

/** Loads a role while there is something to wait for. A receiver is going to need the C library, too. */
export async function preloadRole(isSender: boolean): Promise<void> {
  if (isSender) await loadSender();
  else {
    await loadReceiver();
    hasLibc();
  }
}
