import type { ByteString } from '../../../protocol/options.js';
import { ConfigError } from '../config/lines.js';
import { LuaTable, type LuaValue, runLua } from './lua.js';

/** One `sync{}` call. */
export interface SyncCall {
  /** `file:line` of the call. */
  where: string;
  /** What was given, with what it inherits from the tables at its numbered keys merged in. */
  table: LuaTable;
  /** The implementation that it is based on: rsync, rsyncssh, direct, or '' for one of its own. */
  kind: string;
}

export interface LsyncdScript {
  settings: LuaTable;
  syncs: SyncCall[];
  tunnels: number;
}

const LIMITS = { ms: 5000, values: 200_000 };
const LONGEST_STRING = 10_000_000;

/** What a script finds in lsyncd, as far as it can matter for a configuration. */
const PRELUDE = `
local recorded, tunnels = {}, {}
local where = __where
__where = nil
local rep = string.rep
string.rep = function(s, n, sep)
  if n * (#s + #(sep or '')) > ${LONGEST_STRING} then error('string.rep: result is too long', 2) end
  return rep(s, n, sep)
end
string.starts = function(s, start) return s:sub(1, #start) == start end
string.ends = function(s, tail) return tail == '' or s:sub(-#tail) == tail end
settings = setmetatable({}, { __call = function(self, given)
  if type(given) == 'string' then return rawget(self, given) end
  for key, value in pairs(given) do rawset(self, key, value) end
  return self
end })
local function nothing() end
local function kind(name)
  return { __kind = name, checkgauge = { rsync = {} }, exitcodes = {}, action = nothing, collect = nothing,
    init = nothing, prepare = nothing }
end
default = { rsync = kind('rsync'), rsyncssh = kind('rsyncssh'), direct = kind('direct'), checkgauge = {},
  exitcodes = {}, rsyncExitCodes = {}, sshExitCodes = {}, collect = nothing, prepare = nothing, init = nothing }
lsyncd_version, lsyncdVersion = '2.3.1', '2.3.1'
lsyncd = {}
now = os.time
log, spawn, spawnShell, alarm, terminate = nothing, nothing, nothing, nothing, nothing
local function change(given, remove)
  return function(_, pattern)
    if type(given.exclude) ~= 'table' then given.exclude = { given.exclude } end
    for at, had in ipairs(given.exclude) do
      if remove and had == pattern then return table.remove(given.exclude, at) end
    end
    if not remove then table.insert(given.exclude, pattern) end
  end
end
function sync(given)
  if type(given) ~= 'table' then error('sync takes a table', 2) end
  table.insert(recorded, { where(), given })
  local object = { config = given, addExclude = change(given, false), rmExclude = change(given, true) }
  return setmetatable(object, { __index = function() return nothing end })
end
function tunnel(given)
  table.insert(tunnels, true)
  return { __kind = 'tunnel' }
end
__finish = function() __result = { settings = settings, syncs = recorded, tunnels = tunnels } end
`;

/** Runs an lsyncd configuration. Throws ConfigError with the script's own message. */
export function runLsyncdScript(text: ByteString, file: string): LsyncdScript {
  let result: LuaValue;
  try {
    const code = { prelude: PRELUDE, script: text, epilogue: '__finish()' };
    result = runLua(code, file, '__result', LIMITS);
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
  const root = result as LuaTable;
  const settings = root.get('settings');
  const syncs = tableList(root.get('syncs')).map((record): SyncCall => {
    const [where, given] = record.list;
    const { table, kind } = inherit(given as LuaTable);
    return { where: String(where).replace(/:\s*$/, ''), table, kind };
  });
  const tunnels = root.get('tunnels');
  return {
    settings: settings instanceof LuaTable ? settings : new LuaTable(),
    syncs,
    tunnels: tunnels instanceof LuaTable ? tunnels.list.length : 0,
  };
}

function tableList(value: LuaValue): LuaTable[] {
  return value instanceof LuaTable ? value.list.filter((one) => one instanceof LuaTable) : [];
}

/** Tables at numbered keys are what a sync is based on; named keys of nearer ones hide those of farther ones. */
function inherit(given: LuaTable): { table: LuaTable; kind: string } {
  const table = new LuaTable();
  let kind = '';
  const take = (from: LuaTable): void => {
    for (const [key, value] of from.fields) {
      if (key === '__kind') kind ||= String(value);
      else if (!isOfImplementation(from, key)) merge(table, key, value);
    }
    for (const base of tableList(from)) take(base);
  };
  take(given);
  return { table, kind };
}

/** The defaults themselves bring functions along, which are not the user's. */
function isOfImplementation(from: LuaTable, key: string): boolean {
  return from.get('__kind') !== null && key !== '__kind';
}

function merge(into: LuaTable, key: ByteString, value: LuaValue): void {
  const had = into.fields.get(key);
  if (had === undefined) {
    into.fields.set(key, value);
    return;
  }
  if (!(had instanceof LuaTable && value instanceof LuaTable) || had.list.length > 0) return;
  const both = new LuaTable();
  for (const [name, one] of [...value.fields, ...had.fields]) both.fields.set(name, one);
  into.fields.set(key, both);
}
