"""scripts/release, with programs in place of the compilers that note what they are told."""

import os
import shutil
import subprocess
import tarfile

from conftest import ROOT, VERSION, done

# What compiles takes minutes, and is tried by tests/kits/run. The "binary" is what the compiler was told about pages.
CARGO = r"""#!/bin/bash
set -eu
target=
for word; do [[ ${last:-} != --target ]] || target=$word; last=$word; done
case $1 in
  build | zigbuild)
    mkdir -p "$CARGO_TARGET_DIR/$target/release"
    echo "pages: ${JEMALLOC_SYS_WITH_LG_PAGE:-its own}" >"$CARGO_TARGET_DIR/$target/release/bulkd"
    chmod 755 "$CARGO_TARGET_DIR/$target/release/bulkd" ;;
  run)
    folder=${*: -2:1}
    mkdir "$folder/man" "$folder/completions"
    echo "${*: -1}" >"$folder/man/bulkd.1" ;;
  *) exec "$REAL_CARGO" "$@" ;;
esac
"""
MATURIN = r"""#!/bin/bash
set -eu
target=
for word; do [[ ${last:-} != --target ]] || target=$word; last=$word; done
{ echo "pages: ${JEMALLOC_SYS_WITH_LG_PAGE:-its own}"; ls LICENSE-APACHE LICENSE-MIT THIRD-PARTY.txt; } >"${*: -1}/$target.whl"
"""
RUSTUP = "#!/bin/sh\nprintf '%s-unknown-linux-musl\\n' x86_64 aarch64\n"
TARGETS = {"x86_64-unknown-linux-musl": "its own", "aarch64-unknown-linux-musl": "16"}


def test_what_is_packed_of_the_same_commit_and_binary_is_the_same(tmp_path):
    """And the same packages of npm's, whoever makes them, and when."""
    programs = tmp_path / "bin"
    programs.mkdir()
    stand_ins = {"cargo": CARGO, "rustup": RUSTUP, "maturin": MATURIN, "cargo-zigbuild": "", "musl-gcc": ""}
    for name, text in stand_ins.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    env = {**os.environ, "REAL_CARGO": shutil.which("cargo"), "PATH": f"{programs}:{os.environ['PATH']}"}
    env |= {"CARGO_TARGET_DIR": str(tmp_path / "target"), "CARGO_NET_OFFLINE": "true"}
    made = []
    for folder, mask, zone in [("one", "022", "UTC"), ("other", "077", "Pacific/Auckland")]:
        out = tmp_path / folder
        release = [ROOT / "scripts/release", "--out", out, "--repository", "https://example.com/bulkd"]
        done("sh", "-c", f'umask {mask}; exec "$@"', "sh", *release, env={**env, "TZ": zone})
        made.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert set(made[0]) == set(made[1])
    assert not [name for name in made[0] if made[0][name] != made[1][name]]
    committed = int(subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True))
    for target, pages in TARGETS.items():
        name = f"bulkd-{target}-v{VERSION}"
        with tarfile.open(tmp_path / "one" / f"{name}.tgz") as tar:
            assert {member.mtime for member in tar.getmembers()} == {committed}
            assert {oct(member.mode) for member in tar.getmembers()} == {"0o755", "0o644"}
            # A kernel for ARM may have pages of 64 KiB. Both who compile are told so.
            assert tar.extractfile(f"{name}/bulkd").read().decode() == f"pages: {pages}\n"
        wheel = made[0][f"{target}.whl"].decode().split("\n")
        assert wheel == [f"pages: {pages}", "LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.txt", ""]
    # Nothing of it stays in the project.
    assert not list((ROOT / "kits/python").glob("LICENSE-*")) + list((ROOT / "kits/python").glob("THIRD-PARTY*"))
