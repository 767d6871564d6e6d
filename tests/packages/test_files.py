"""The files of a release: what they hold, and what is said of them."""

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from conftest import IN_PARIS, LICENCES, NAME, PATIENCE, ROOT, TARGET, VERSION, call, done, free_port, until_it_answers
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_the_sums_are_those_of_all_files(packages):
    done("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=packages)
    named = [line.split("  ")[1] for line in (packages / "SHA256SUMS").read_text().splitlines()]
    assert sorted(named) == sorted(file.name for file in packages.iterdir() if file.name != "SHA256SUMS")


def test_an_archive_is_what_cargo_binstall_looks_for(packages, archive):
    """By default it is NAME-TARGET-vVERSION.tgz of the release vVERSION, with the binary in a folder of that name."""
    with tarfile.open(packages / f"{NAME}.tgz") as tar:
        members = tar.getmembers()
    assert {member.name.split("/")[0] for member in members} == {NAME}
    assert all((member.uid, member.gid) == (0, 0) and not member.mode & 0o022 for member in members)
    found = sorted(str(file.relative_to(archive)) for file in archive.iterdir())
    assert found == sorted(["CHANGELOG.md", *LICENCES, "README.md", "bulkd", "completions", "man"])


def test_the_binary_needs_nothing_else(archive, tmp_path):
    shutil.copy(archive / "bulkd", tmp_path)
    assert done("chroot", tmp_path, "/bulkd", "--version") == f"bulkd {VERSION}\n"
    # Time zones are within it.
    (tmp_path / "tmp").mkdir()
    url, log = f"http://127.0.0.1:{free_port()}", tmp_path / "log"
    with log.open("w") as out:
        started = ["chroot", tmp_path, "/bulkd", "--ephemeral", "--listen", url.split("//")[1]]
        daemon = subprocess.Popen(started, stdout=out, stderr=out)
    try:
        until_it_answers(url, log.read_text)
        assert call(url, "/send", IN_PARIS)["requestId"]
    finally:
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0, log.read_text()


def test_all_packages_have_the_same_binary(packages, archive):
    released = sha256((archive / "bulkd").read_bytes())
    [wheel] = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        [name] = [name for name in files.namelist() if name.endswith("/scripts/bulkd")]
        assert sha256(files.read(name)) == released
    with tarfile.open(packages / f"bulkd-{VERSION}.tgz") as tar:
        about = json.load(tar.extractfile("package/package.json"))
    assert about["version"] == VERSION and set(about["optionalDependencies"].values()) == {VERSION}
    for name, expected in about["checksums"].items():
        with tarfile.open(packages / f"bulkd-{name.split('/')[1]}-{VERSION}.tgz") as tar:
            assert json.load(tar.extractfile("package/package.json"))["name"] == name
            assert sha256(tar.extractfile("package/bulkd").read()) == expected == released


def test_the_wheel_can_be_published(packages):
    done("twine", "check", "--strict", *packages.glob("*.whl"))


@pytest.mark.parametrize("system", ["manylinux_2_17", "musllinux_1_1"])
def test_pip_takes_the_wheel_with_either_libc(packages, tmp_path, system):
    asked = ["--no-index", "--find-links", packages, "--no-deps", "--only-binary=:all:", "--dest", tmp_path]
    done(sys.executable, "-m", "pip", "download", "--quiet", *asked, "--platform", f"{system}_{platform.machine()}", "bulkd")
    [taken], [wheel] = tmp_path.iterdir(), packages.glob("*.whl")
    assert taken.name == wheel.name
    with zipfile.ZipFile(wheel) as files:
        [about] = [name for name in files.namelist() if name.endswith(".dist-info/WHEEL")]
        assert f"Tag: py3-none-{system}_{platform.machine()}\n" in files.read(about).decode()


def test_each_package_has_its_licences_and_those_of_what_is_in_it(packages, archive):
    """Of each crate, as its own files have them, in the same words everywhere."""
    archived = {name: (archive / name).read_text() for name in LICENCES}
    for name in LICENCES[:2]:
        assert archived[name] == (ROOT / name).read_text()
    [wheel] = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        [about] = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        assert sorted(re.findall(r"^License-File: (.+)$", files.read(about).decode(), re.M)) == LICENCES
        folder = about.replace("METADATA", "licenses/")
        assert {name: files.read(folder + name).decode() for name in LICENCES} == archived
    [tarball] = packages.glob(f"bulkd-*-*-{VERSION}.tgz")
    with tarfile.open(tarball) as tar:
        assert {name: tar.extractfile(f"package/{name}").read().decode() for name in LICENCES} == archived
    named = set(re.findall(r"^([a-z0-9_-]+) (\d[\w.+-]+)(?: \(|: )", archived["THIRD-PARTY.txt"], re.M | re.I))
    listed = {(it["name"], it["version"]) for it in json.loads((packages / f"{NAME}.cdx.json").read_text())["components"]}
    assert named == listed
    # Also what a crate has in it, and what is no crate.
    for whose in ["Jason Evans", "the fiat-crypto authors", "Rich Felker", "The Rust Project"]:
        assert whose in archived["THIRD-PARTY.txt"], whose


def crates_in(binary):
    """The crates whose sources the binary names, such as where it would panic."""
    return set(re.findall(rb"/registry/src/[^/]+/([a-z0-9_-]+?)-(\d+\.\d+\.\d+[^/]*)/", binary.read_bytes(), re.I))


def test_the_list_of_what_is_in_it_is_valid_and_whole(packages, archive):
    text = (packages / f"{NAME}.cdx.json").read_text()
    assert (problem := JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)) is None, problem
    bom = json.loads(text)
    listed = {(part["name"], part["version"]): part for part in bom["components"]}
    assert bom["metadata"]["component"]["version"] == VERSION
    # What can be seen from outside is in it.
    seen = {(name.decode(), version.decode()) for name, version in crates_in(archive / "bulkd")}
    assert len(seen) > 40, seen
    assert not seen - set(listed), seen - set(listed)
    assert {"rusqlite", "rustls", "rcgen", "redis", "lettre"} <= {name for name, _ in listed}
    # What builds or tests it is not, and each has the sum that Cargo.lock has.
    assert not {"cc", "proptest", "clap_mangen", "clap_complete", "serde_derive"} & {name for name, _ in listed}
    lock = (ROOT / "Cargo.lock").read_text()
    for (name, version), part in listed.items():
        locked = re.search(rf'name = "{re.escape(name)}"\nversion = "{re.escape(version)}"\nsource = .+\nchecksum = "(.+)"', lock)
        assert locked and part["hashes"] == [{"alg": "SHA-256", "content": locked[1]}], name
        assert part["licenses"][0]["expression"], name


def words_of(page):
    """A page as it is read, without what makes words bold."""
    return re.sub(".\b", "", done("mandoc", "-T", "ascii", page))


def section(text, heading):
    return re.search(rf"^{heading}\n(.*?)(?=^\S)", text, re.M | re.S)[1]


def test_man_pages_are_read_without_a_complaint(archive):
    pages = sorted((archive / "man").iterdir())
    commands = re.findall(r"^  ([a-z]+) ", done(archive / "bulkd", "--help").split("Commands:")[1], re.M)
    named = ["bulkd.1", *(f"bulkd-{command}.1" for command in commands if command != "help")]
    assert [page.name for page in pages] == sorted(named)
    for page in pages:
        told = subprocess.run(["mandoc", "-T", "lint", page], text=True, capture_output=True)
        assert (told.returncode, told.stdout) == (0, ""), told.stdout
        text = words_of(page)
        assert text.lstrip().lower().startswith(f"{page.stem}(1)"), TARGET
        assert {"0", "1", "2"} <= set(re.findall(r"^ {5,7}(\d) ", section(text, "EXIT STATUS"), re.M)), text
        others = re.findall(r"[\w-]+\(1\)", re.sub(r"-\s+", "-", section(text, "SEE ALSO")))
        assert others == [f"{other.stem}(1)" for other in sorted(pages, key=lambda it: it.stem) if other != page]
        # What has to be typed, and no list of all that may be.
        assert len(section(text, "SYNOPSIS").split()) < 15, text


def test_man_pages_name_each_variable_with_its_flag(archive):
    """Those that --help names, in the page of the command. And each is in a page."""
    everywhere = set()
    for page in (archive / "man").iterdir():
        command = page.stem.split("-")[1:]
        known = set(re.findall(r"\[env:\s+(\w+)", done(archive / "bulkd", *command, "--help", env={})))
        text = words_of(page)
        assert bool(known) == ("\nENVIRONMENT\n" in text)
        entries = re.findall(r"^ +([A-Z_]+)\n? +(?:The value of|1 or true for) (--[a-z-]+)\.$", text, re.M)
        assert {variable for variable, _ in entries} == known, page
        options = section(text, "OPTIONS")
        assert all(re.search(rf"^ +{flag}\b", options, re.M) for _, flag in entries), page
        everywhere |= known
        # Where it keeps files, they are named.
        assert ("\nFILES\n" in text) == (command in [[], *([it] for it in "serve backup restore check compact ca".split())])
    assert {it for it in everywhere if it.startswith("BULKD_")} == BULKD_VARIABLES


# Of the tables of docs/operations.md, which are written from the flags.
BULKD_VARIABLES = set(re.findall(r"^\| `--.*?\| `(BULKD_\w+)` \|", (ROOT / "docs/operations.md").read_text(), re.M))
