"use strict";
// The operators that a wait compares with.

const equals = (value) => ({ equals: value });
const contains = (part) => ({ contains: part });
const matches = (pattern) => ({ matches: pattern instanceof RegExp ? source(pattern) : pattern });
const absent = () => ({ absent: true });
const present = () => ({ absent: false });

function source(pattern) {
  const flags = ["i", "m", "s"].filter((flag) => pattern.flags.includes(flag)).join("");
  return flags ? `(?${flags})${pattern.source}` : pattern.source;
}

const OPERATORS = new Set(["equals", "contains", "matches", "absent"]);

function flatten(at, value, wanted) {
  const names = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  if (value instanceof RegExp) {
    wanted[at] = matches(value);
  } else if (names.length > 0 && !names.every((name) => OPERATORS.has(name))) {
    for (const name of names) {
      flatten(`${at}.${name}`, value[name], wanted);
    }
  } else {
    wanted[at] = value;
  }
}

/** The criteria of a wait. `{data: {order: {n: 1}}}` asks for `data.order.n`. */
function criteria(given) {
  const wanted = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) {
      continue;
    }
    if (name === "data") {
      flatten(name, value, wanted);
    } else {
      wanted[name] = value instanceof RegExp ? matches(value) : value;
    }
  }
  return wanted;
}

module.exports = { absent, contains, criteria, equals, matches, present };
