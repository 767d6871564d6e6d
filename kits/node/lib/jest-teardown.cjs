"use strict";
// For `globalTeardown` of jest.
const { end } = require("./shared.cjs");

module.exports = () => end();
