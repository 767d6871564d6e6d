"use strict";
const { findBinary } = require("./binary.cjs");
const { Daemon, start } = require("./daemon.cjs");
const { Environment, Fault, NotMet, Refused } = require("./environment.cjs");
const { Message } = require("./message.cjs");
const { absent, contains, equals, matches, present } = require("./words.cjs");

module.exports = {
  Daemon,
  Environment,
  Fault,
  Message,
  NotMet,
  Refused,
  absent,
  contains,
  equals,
  findBinary,
  matches,
  present,
  start,
};
