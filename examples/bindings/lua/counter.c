/* Lua 5.4 and LuaJIT: `local counter = require "counter"`. A counter is a full userdata that has the handle, not the object. */
#include "../counter.h"
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#define NAME "haft.counter"

static int fail(lua_State *lua) { return luaL_error(lua, "%s", haft_last_error()); }

static haft_handle *check(lua_State *lua) { return luaL_checkudata(lua, 1, NAME); }

/* counter.new(value): the handle is created in the name of the script's line. */
static int new_counter(lua_State *lua) {
    int64_t value = (int64_t)luaL_optinteger(lua, 1, 0);
    haft_handle *handle = lua_newuserdata(lua, sizeof *handle);
    *handle = 0; /* Until there is one, `__gc` has nothing to do. */
    luaL_getmetatable(lua, NAME);
    lua_setmetatable(lua, -2);
    luaL_where(lua, 1); /* "script.lua:12:" and a space */
    size_t length;
    const char *place = lua_tolstring(lua, -1, &length);
    lua_pushlstring(lua, place, length > 2 ? length - 2 : 0);
    if (counter_new(value, lua_tostring(lua, -1), handle) != HAFT_OK) {
        return fail(lua);
    }
    lua_pop(lua, 2);
    return 1;
}

/* counter:add(amount) */
static int add(lua_State *lua) {
    int64_t sum;
    if (counter_add(*check(lua), (int64_t)luaL_checkinteger(lua, 2), &sum) != HAFT_OK) {
        return fail(lua);
    }
    lua_pushinteger(lua, (lua_Integer)sum);
    return 1;
}

/* counter:close(), which is an error the second time. */
static int close_counter(lua_State *lua) { return haft_remove(*check(lua)) == HAFT_OK ? 0 : fail(lua); }

/* The collector's, and `local c <close>`'s. */
static int collect(lua_State *lua) {
    haft_handle *handle = check(lua);
    counter_collect(*handle);
    *handle = 0;
    return 0;
}

/* counter:pointer(): the handle as light userdata, which has 47 bits in LuaJIT: the kind is narrow. For callbacks that carry one pointer. */
static int pointer(lua_State *lua) {
    lua_pushlightuserdata(lua, (void *)(uintptr_t)*check(lua));
    return 1;
}

/* counter.add_to(pointer, amount): any value that is no handle of a counter is an error. */
static int add_to(lua_State *lua) {
    int64_t sum;
    haft_handle handle = (haft_handle)(uintptr_t)lua_touserdata(lua, 1);
    if (counter_add(handle, (int64_t)luaL_checkinteger(lua, 2), &sum) != HAFT_OK) {
        return fail(lua);
    }
    lua_pushinteger(lua, (lua_Integer)sum);
    return 1;
}

static int live(lua_State *lua) {
    lua_pushinteger(lua, (lua_Integer)haft_live());
    return 1;
}

/* counter.leaks(): the leak report. (It is gathered first: an error of Lua's would leave haft's function by `longjmp`.) */
static int leaks(lua_State *lua) {
    char *text = counter_leaks();
    lua_pushstring(lua, text == NULL ? "" : text);
    free(text);
    return 1;
}

static void set(lua_State *lua, const char *name, lua_CFunction function) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
}

int luaopen_counter(lua_State *lua) {
    if (haft_narrow(&counter_type, 47) != HAFT_OK) {
        return fail(lua);
    }
    luaL_newmetatable(lua, NAME);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -2, "__index");
    set(lua, "__gc", collect);
    set(lua, "__close", collect);
    set(lua, "add", add);
    set(lua, "close", close_counter);
    set(lua, "pointer", pointer);
    lua_newtable(lua);
    set(lua, "new", new_counter);
    set(lua, "add_to", add_to);
    set(lua, "live", live);
    set(lua, "leaks", leaks);
    return 1;
}
