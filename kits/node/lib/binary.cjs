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
    // Where packages are installed there are scripts and links that lead here again.
    if (folder && isNative(found)) {
      return found;
    }
  }
  throw new Error(missing(wanted));
}

function missing(wanted) {
  const platforms = Object.keys(own.optionalDependencies ?? {}).map((it) => it.replace("@bulkd/", ""));
  const none = `there is no daemon for ${process.platform} ${process.arch}: `;
  if (platforms.length > 0 && !platforms.includes(wanted.replace("@bulkd/", ""))) {
    return `${none}there are packages for ${platforms.join(", ")}, and no bulkd is on the PATH; BULKD_BINARY names one that you have`;
  }
  return `${none}the package ${wanted} is not installed (optional dependencies may be switched off), and no bulkd is on the PATH`;
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

/** Whether a file can be started and is no script, by its first bytes: ELF, Mach-O, and Windows' own. */
function isNative(file) {
  const magic = Buffer.alloc(4);
  try {
    fs.accessSync(file, fs.constants.X_OK);
    const handle = fs.openSync(file);
    try {
      fs.readSync(handle, magic, 0, magic.length, 0);
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    return false;
  }
  const first = magic.toString("hex");
  return ["7f454c46", "cffaedfe", "cefaedfe", "cafebabe"].includes(first) || first.startsWith("4d5a");
}

module.exports = { findBinary, platformPackage };
