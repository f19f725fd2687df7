import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { wildmatch } from '../../../protocol/filter/wildmatch.js';
import {
  AUTH_DIGESTS,
  type AuthDigest,
  authResponse,
  type ChosenDigest,
  checkSecrets,
  chooseDigest,
  type DigestOffer,
  loadMd4,
  makeChallenge,
  matchAuthUsers,
  meetsFloor,
  parseAuthLine,
  parseAuthUsers,
  sameResponse,
} from '../../../protocol/handshake/auth.js';
import type { ByteString } from '../../../protocol/options.js';
import type { ModuleConfig } from '../config/params.js';
import { groupNamesOf } from './accounts.js';
import { openTrusted } from './trusted-file.js';

/** A secrets file is read whole at each login; larger ones are refused. */
const MAX_SECRETS = 16 << 20;

/** What a login came to. `reason` is for the log only: the client is not told. */
export type Login = { ok: true; user: ByteString; access: 'ro' | 'rw' | null } | { ok: false; reason: ByteString };

/** What the steps of a login need of the connection. */
export interface Speaker {
  send(text: string): void;
  line(): Promise<ByteString | null>;
}

/** Digest and challenge of one login, or why there is none: `line` goes to the client, `reason` to the log. */
export function openChallenge(
  config: ModuleConfig,
  offer: DigestOffer,
): { chosen: ChosenDigest } | { line: string } | { reason: string } {
  const chosen = chooseDigest(offer, true);
  if (chosen === null) {
    return {
      line: `@ERROR: your client does not support one of our daemon-auth checksums: ${AUTH_DIGESTS.join(' ')}\n`,
    };
  }
  const floor = config.authDigest.trim();
  if (floor === '' || meetsFloor(chosen.digest, floor)) return { chosen };
  if (!(AUTH_DIGESTS as readonly string[]).includes(floor.toLowerCase())) {
    return { reason: `the configured 'auth digest = ${floor}' is not a supported digest on this build` };
  }
  return {
    reason: `negotiated auth digest ${chosen.digest} is weaker than the required 'auth digest = ${floor}'`,
  };
}

/** Sends the challenge, reads the answer and judges it by "auth users" and the secrets file. */
export async function login(
  config: ModuleConfig,
  chosen: ChosenDigest,
  speaker: Speaker,
  warn: (text: ByteString) => void,
): Promise<Login & { user?: ByteString }> {
  if (chosen.digest === 'md4') await loadMd4();
  const challenge = makeChallenge(chosen.digest, randomBytes(64));
  speaker.send(`@RSYNCD: AUTHREQD ${challenge}\n`);
  const line = await speaker.line();
  const answer = line === null ? null : parseAuthLine(line);
  if (answer === null) return { ok: false, reason: 'invalid challenge response' };
  const { user, response } = answer;
  const rules = parseAuthUsers(config.authUsers);
  const groups = rules.some((rule) => rule.isGroup) ? await groupNamesOf(user) : [];
  const match = matchAuthUsers(rules, user, groups, wildmatch);
  if (match === null) return { ok: false, reason: 'no matching rule', user };
  if (match.rule.access === 'deny') return { ok: false, reason: 'denied by rule', user };
  const secrets = readSecrets(config, warn);
  if (typeof secrets === 'string') return { ok: false, reason: secrets, user };
  const digest: AuthDigest = chosen.digest;
  const reason = checkSecrets(secrets, user, match.group, (password) =>
    sameResponse(response, authResponse(digest, password, challenge, chosen.legacyMd4)),
  );
  secrets.fill(0);
  if (reason !== null) return { ok: false, reason, user };
  return { ok: true, user, access: match.rule.access };
}

/** The content of the secrets file, or why it is not used. With "strict modes" others must have no access to it. */
function readSecrets(config: ModuleConfig, warn: (text: ByteString) => void): Buffer | string {
  if (config.secretsFile === '') return 'no secrets file';
  let fd: number;
  try {
    fd = openTrusted(config.secretsFile, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch {
    return 'no secrets file';
  }
  try {
    const st = fs.fstatSync(fd);
    if (config.strictModes && (st.mode & 0o6) !== 0) {
      warn('secrets file must not be other-accessible (see strict modes option)');
      return 'ignoring secrets file';
    }
    if (config.strictModes && process.getuid?.() === 0 && st.uid !== 0) {
      warn('secrets file must be owned by root when running as root (see strict modes)');
      return 'ignoring secrets file';
    }
    if (st.size > MAX_SECRETS) {
      warn('secrets file is too large');
      return 'ignoring secrets file';
    }
    return fs.readFileSync(fd);
  } catch {
    return 'ignoring secrets file';
  } finally {
    fs.closeSync(fd);
  }
}
