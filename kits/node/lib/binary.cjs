"use strict";
// Where the daemon's file is. Each platform has a package with nothing but that file; npm installs the one that fits.
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const own = require("../package.json");

/** The package for a platform, as npm names platforms. */
function platformPackage(platform = process.platform, arch = process.arch) {
  return `@bulkd/${platform}-${arch}`;
}

/** The daemon's file: BULKD_BINARY, that of the platform's package, or the one on the PATH. Throws if there is none. */
function findBinary() {
  const given = process.env.BULKD_BINARY;
  if (given) {
    return given;
  }
  const name = process.platform === "win32" ? "bulkd.exe" : "bulkd";
  const wanted = platformPackage();
  let file;
  try {
    file = require.resolve(`${wanted}/${name}`);
  } catch {
    file = undefined;
  }
  if (file !== undefined) {
    check(file, wanted);
    return file;
  }
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    const found = path.join(folder, name);
    // The shim of this package is no daemon.
    if (folder && isFile(found) && !isShim(found)) {
      return found;
    }
  }
  throw new Error(
    `there is no daemon for ${process.platform} ${process.arch}: the package ${wanted} is not installed ` +
      "(optional dependencies may be switched off), and no bulkd is on the PATH",
  );
}

/** A file that is not the one that was released is not started. */
function check(file, from) {
  const expected = own.checksums?.[from];
  if (expected === undefined) {
    return;
  }
  const found = createHash("sha256").update(fs.readFileSync(file)).digest("hex");
  if (found !== expected) {
    throw new Error(`${file} is not the file that was released: its SHA-256 is ${found}, expected ${expected}`);
  }
}

function isFile(file) {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function isShim(file) {
  return fs.realpathSync(file) === fs.realpathSync(path.join(__dirname, "..", "bin", "bulkd.cjs"));
}

module.exports = { findBinary, platformPackage };
