"use strict";
// For `globalSetup` of jest: one daemon for the whole run.
const { begin } = require("./shared.cjs");

module.exports = () => begin();
