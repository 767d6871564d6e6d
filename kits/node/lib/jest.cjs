"use strict";
const { absent, contains, equals, matches, present } = require("./words.cjs");
const { enter, tell } = require("./shared.cjs");

/**
 * The errors of the test that runs. jest has no public way to ask for them; its runner keeps them in its state, of which the
 * symbol is its own. Where there is none, such as with another runner, nothing is told.
 */
function errors() {
  const symbol = Object.getOwnPropertySymbols(globalThis).find((it) => it.description === "JEST_STATE_SYMBOL");
  return (globalThis[symbol]?.currentlyRunningTest?.errors ?? []).map((it) => (Array.isArray(it) ? it[0] : it));
}

/**
 * Gives each test of the file an environment of its own, with Courier's SDKs pointed at it. The object that is returned is
 * that of the test that runs.
 */
function useBulkd() {
  let entered;
  beforeEach(async () => {
    entered = await enter();
  });
  afterEach(async () => {
    if (entered) {
      await tell(entered, errors());
      entered.leave();
    }
    entered = undefined;
  });
  return new Proxy({}, {
    get(_, name) {
      if (!entered) {
        throw new Error("bulkd has an environment within a test alone");
      }
      const value = Reflect.get(entered.environment, name, entered.environment);
      return typeof value === "function" ? value.bind(entered.environment) : value;
    },
  });
}

module.exports = { absent, contains, equals, matches, present, useBulkd };
