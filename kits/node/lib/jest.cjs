"use strict";
const { absent, contains, equals, matches, present } = require("./words.cjs");
const { enter } = require("./shared.cjs");

/**
 * Gives each test of the file an environment of its own, with Courier's SDKs pointed at it. The object that is returned is
 * that of the test that runs.
 */
function useBulkd() {
  let entered;
  beforeEach(async () => {
    entered = await enter();
  });
  afterEach(() => {
    entered?.leave();
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
