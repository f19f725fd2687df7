import { at } from './lines.js';
import type { Scope } from './scope.js';
import type { HookAction, HookConfig } from './types.js';

/** What a hook section says, or null when something is wrong with it. */
export function readHook(name: string, scope: Scope, problems: string[]): HookConfig | null {
  const action = readAction(name, scope, problems);
  if (action === null) return null;
  return {
    name,
    action,
    match: scope.all('match'),
    skip: scope.all('skip'),
    on: scope.get('on', 'success' as const),
    targets: scope.all('only target'),
    deletions: scope.get('deletions', action.kind !== 'command'),
    queue: scope.get('queue', 1000),
    retries: scope.get('retries', 5),
    backOff: { firstMs: scope.get('hook retry first', 1000), mostMs: scope.get('hook retry most', 300_000) },
    timeoutMs: scope.get('timeout', 60_000),
  };
}

/** Keys that only one kind of hook has. */
const BELONG = { separator: 'command', 'header file': 'url', 'base url': 'url' } as const;

function readAction(name: string, scope: Scope, problems: string[]): HookAction | null {
  const command = scope.get('command', null);
  const url = scope.get('url', null);
  const tcp = scope.get('tcp', null);
  if ([command, url, tcp].filter((one) => one !== null).length !== 1) {
    problems.push(at(scope.place, `[hook ${name}] needs one of command, url, tcp`));
    return null;
  }
  for (const [key, owner] of Object.entries(BELONG) as [keyof typeof BELONG, 'command' | 'url'][]) {
    if (scope.own(key).length > 0 && scope.own(owner).length === 0) {
      problems.push(at(scope.placeOf(key), `"${key}" goes with "${owner}"`));
    }
  }
  if (command !== null) {
    return { kind: 'command', command, separator: scope.get('separator', 'newline') === 'nul' ? '\0' : '\n' };
  }
  if (url !== null) {
    return { kind: 'http', url, headerFile: scope.get('header file', ''), baseUrl: scope.get('base url', '') };
  }
  return { kind: 'tcp', ...tcp! };
}
