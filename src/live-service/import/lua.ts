import { type LuaState, lauxlib, lua, lualib, to_luastring } from 'fengari';
import type { ByteString } from '../../../protocol/options.js';

/** A value of a script: strings are bytes, a function is only known to be one. */
export type LuaValue = boolean | number | ByteString | LuaTable | LuaFunction | null;
export type LuaFunction = { readonly isFunction: true };

/** A table: its sequence from 1, and everything else by the text of its key. */
export class LuaTable {
  readonly list: LuaValue[] = [];
  readonly fields = new Map<ByteString, LuaValue>();

  get(key: ByteString): LuaValue {
    return this.fields.get(key) ?? null;
  }
}

/** What a script may take: it is a configuration, not a program. */
export interface LuaLimits {
  ms: number;
  /** Values that are read from it. */
  values: number;
}

const HOOK_STEPS = 1000;
const MAX_DEPTH = 30;

/** Functions that reach out of the script. */
const REMOVED = {
  _G: ['dofile', 'loadfile', 'collectgarbage'],
  os: ['execute', 'exit', 'remove', 'rename', 'tmpname', 'setlocale'],
};

const bytes = (text: ByteString) => new Uint8Array(Buffer.from(text, 'latin1'));
const string = (value: Uint8Array | null): ByteString => Buffer.from(value ?? []).toString('latin1');

/**
 * Runs a Lua script with the basic, string, table and math libraries and the clock and environment of `os`, and returns
 * the global `result`. `prelude` runs before it and `epilogue` after it. Throws an Error with the script's message (`file:line: what`).
 */
export function runLua(
  code: { prelude: string; script: ByteString; epilogue: string },
  name: string,
  result: string,
  limits: LuaLimits,
): LuaValue {
  const L = lauxlib.luaL_newstate();
  openLibraries(L);
  execute(L, code.prelude, 'prelude');
  const deadline = Date.now() + limits.ms;
  const check = (state: LuaState) => {
    if (Date.now() <= deadline) return;
    // From now on at every step: a script that catches errors must not go on behind the pcall.
    lua.lua_sethook(state, check, lua.LUA_MASKCOUNT, 1);
    lauxlib.luaL_error(state, to_luastring(`the script did not end within ${limits.ms} ms`));
  };
  lua.lua_sethook(L, check, lua.LUA_MASKCOUNT, HOOK_STEPS);
  execute(L, code.script, name);
  execute(L, code.epilogue, 'epilogue');
  lua.lua_getglobal(L, to_luastring(result));
  return new Reader(L, limits.values).read(-1, 0);
}

function openLibraries(L: LuaState): void {
  const libraries = {
    _G: lualib.luaopen_base,
    string: lualib.luaopen_string,
    table: lualib.luaopen_table,
    math: lualib.luaopen_math,
    os: lualib.luaopen_os,
  };
  for (const [name, open] of Object.entries(libraries)) {
    lauxlib.luaL_requiref(L, to_luastring(name), open, 1);
    lua.lua_pop(L, 1);
  }
  const where = (state: LuaState) => {
    lauxlib.luaL_where(state, 2);
    return 1;
  };
  lua.lua_pushcfunction(L, where);
  lua.lua_setglobal(L, to_luastring('__where'));
  const removals = Object.entries(REMOVED).flatMap(([table, names]) => names.map((name) => `${table}.${name} = nil\n`));
  execute(L, removals.join(''), 'prelude');
}

function execute(L: LuaState, script: ByteString, name: string): void {
  // A script that starts with `#!` is a program for a shell; Lua's own loader skips that line too.
  const code = bytes(script.replace(/^#[^\n]*/, ''));
  const status = lauxlib.luaL_loadbuffer(L, code, code.length, to_luastring(`@${name}`));
  if (status === lua.LUA_OK && lua.lua_pcall(L, 0, 0, 0) === lua.LUA_OK) return;
  const text = string(lua.lua_tostring(L, -1));
  throw new Error(text === '' ? 'the script failed without a message' : text);
}

/** Takes values out of a state. */
class Reader {
  private readonly open = new Set<object>();

  constructor(
    private readonly L: LuaState,
    private left: number,
  ) {}

  read(index: number, depth: number): LuaValue {
    const { L } = this;
    if (--this.left < 0) throw new Error('the script made too many values');
    switch (lua.lua_type(L, index)) {
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(L, index);
      case lua.LUA_TNUMBER:
        return lua.lua_tonumber(L, index);
      case lua.LUA_TSTRING:
        return string(lua.lua_tostring(L, index));
      case lua.LUA_TTABLE:
        return this.table(lua.lua_absindex(L, index), depth);
      case lua.LUA_TFUNCTION:
        return { isFunction: true };
      default:
        return null;
    }
  }

  private table(index: number, depth: number): LuaTable {
    const { L } = this;
    const table = new LuaTable();
    const identity = lua.lua_topointer(L, index);
    // A table that holds itself is read once.
    if (depth > MAX_DEPTH || this.open.has(identity)) return table;
    this.open.add(identity);
    lauxlib.luaL_checkstack(L, 4, null);
    lua.lua_pushnil(L);
    while (lua.lua_next(L, index) !== 0) {
      const value = this.read(-1, depth + 1);
      lua.lua_pop(L, 1);
      this.put(table, value);
    }
    this.open.delete(identity);
    return table;
  }

  /** The key is on top of the stack and has to stay as it is. */
  private put(table: LuaTable, value: LuaValue): void {
    const { L } = this;
    lua.lua_pushvalue(L, -1);
    const isNumber = lua.lua_type(L, -1) === lua.LUA_TNUMBER;
    const key = string(lua.lua_tostring(L, -1));
    lua.lua_pop(L, 1);
    if (isNumber && /^[1-9]\d{0,5}$/.test(key)) table.list[Number(key) - 1] = value;
    else table.fields.set(key, value);
  }
}
