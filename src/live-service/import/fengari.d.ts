/** The part of fengari (Lua 5.3 in JavaScript) that is used here. Lua strings are bytes. */
declare module 'fengari' {
  /** A Lua state; its values are on a stack, addressed by index. */
  type LuaState = { readonly luaState: unique symbol };
  type LuaFunction = (L: LuaState) => number;

  export const lua: {
    LUA_OK: number;
    LUA_MASKCOUNT: number;
    LUA_TNIL: number;
    LUA_TBOOLEAN: number;
    LUA_TNUMBER: number;
    LUA_TSTRING: number;
    LUA_TTABLE: number;
    LUA_TFUNCTION: number;
    lua_sethook(L: LuaState, hook: (L: LuaState) => void, mask: number, count: number): void;
    lua_pcall(L: LuaState, args: number, results: number, handler: number): number;
    lua_pop(L: LuaState, n: number): void;
    lua_getglobal(L: LuaState, name: Uint8Array): number;
    lua_setglobal(L: LuaState, name: Uint8Array): void;
    lua_pushcfunction(L: LuaState, fn: LuaFunction): void;
    lua_pushnil(L: LuaState): void;
    lua_pushvalue(L: LuaState, index: number): void;
    lua_next(L: LuaState, index: number): number;
    lua_type(L: LuaState, index: number): number;
    lua_toboolean(L: LuaState, index: number): boolean;
    lua_tonumber(L: LuaState, index: number): number;
    lua_tostring(L: LuaState, index: number): Uint8Array | null;
    lua_topointer(L: LuaState, index: number): object;
    lua_absindex(L: LuaState, index: number): number;
    lua_gettop(L: LuaState): number;
  };
  export const lauxlib: {
    luaL_newstate(): LuaState;
    luaL_loadbuffer(L: LuaState, bytes: Uint8Array, size: number, name: Uint8Array): number;
    luaL_requiref(L: LuaState, name: Uint8Array, open: LuaFunction, global: number): void;
    luaL_error(L: LuaState, text: Uint8Array): number;
    luaL_where(L: LuaState, level: number): void;
    luaL_checkstack(L: LuaState, space: number, text: Uint8Array | null): void;
  };
  export const lualib: {
    luaopen_base: LuaFunction;
    luaopen_string: LuaFunction;
    luaopen_table: LuaFunction;
    luaopen_math: LuaFunction;
    luaopen_os: LuaFunction;
  };
  export function to_luastring(text: string): Uint8Array;
}
