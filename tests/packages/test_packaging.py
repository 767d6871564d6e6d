"""What `packaging` has: each is used as it is meant to be."""

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from conftest import IN_PARIS, LICENCES, NAME, PATIENCE, ROOT, VERSION, WELCOME, call, done, free_port, until_it_answers

PACKAGING = ROOT / "packaging"


# The Homebrew formula


def formula_on(formula, *system, **more):
    """What Homebrew reads of it on a system."""
    return json.loads(done("ruby", ROOT / "tests/packages/formula.rb", formula, *system, **more).splitlines()[-1])


def test_the_formula_installs_what_the_archive_has(packages, archive, tmp_path):
    formula = packages / "bulkd.rb"
    assert "Syntax OK" in done("ruby", "-wc", formula) and not re.search("@[A-Z]", formula.read_text())
    processor = {"x86_64": "intel", "aarch64": "arm"}[os.uname().machine]
    environment = {**os.environ, "FREE_PORT": str(free_port())}
    said = formula_on(formula, "linux", processor, archive, tmp_path, env=environment)
    assert "version" not in said, "Homebrew reads it from the address"
    assert said["desc"] and said["license"] == {"any_of": ["MIT", "Apache-2.0"]}
    assert said["url"] == f"{said['homepage']}/releases/download/v{VERSION}/{NAME}.tgz"
    assert said["sha256"] == hashlib.sha256((packages / f"{NAME}.tgz").read_bytes()).hexdigest()
    installed = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    pages = {f"share/man/man1/{page.name}" for page in (archive / "man").iterdir()}
    completions = {"etc/bash_completion.d/bulkd", "share/zsh/site-functions/_bulkd", "share/fish/vendor_completions.d/bulkd.fish"}
    assert installed == {"bin/bulkd"} | pages | completions
    # Its service runs in what was installed, and writes where there is a folder for it.
    service = said["service"]
    assert all(Path(file).parent.is_dir() for file in service["log_path"] + service["error_log_path"]), service
    (tmp_path / "opt").symlink_to(tmp_path)
    url = f"http://127.0.0.1:{environment['FREE_PORT']}"
    [folder], log = service["working_dir"], tmp_path / "log"
    with log.open("w") as out:
        environment = {"BULKD_LISTEN": url.split("//")[1]}
        daemon = subprocess.Popen(service["run"], cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        until_it_answers(url, log.read_text)
        call(url, "/send", WELCOME)
    finally:
        daemon.terminate()
    assert daemon.wait(PATIENCE) == 0 and (tmp_path / "var/bulkd/bulkd.db").is_file(), log.read_text()


def test_the_formula_names_the_platforms_that_there_are_archives_of(packages, tmp_path):
    """And no others: there Homebrew says what it is for."""
    needed, processors = "depends_on", {"arm": "aarch64", "intel": "x86_64"}
    systems = {"linux": "unknown-linux-musl", "macos": "apple-darwin"}
    [tarball] = packages.glob(f"bulkd-*-*-{VERSION}.tgz")
    shutil.copy(tarball, tmp_path)

    def formula(*targets):
        for file in tmp_path.glob("bulkd-*-v*.tgz"):
            file.unlink()
        for target in targets:
            (tmp_path / f"bulkd-{target}-v{VERSION}.tgz").write_text(target)
        done(ROOT / "scripts/assemble", tmp_path, "https://example.com/bulkd")
        assert "Syntax OK" in done("ruby", "-wc", tmp_path / "bulkd.rb")
        return tmp_path / "bulkd.rb"

    every = [f"{processor}-{system}" for processor in processors.values() for system in systems.values()]
    made = formula(*every)
    for system, target in systems.items():
        for processor, machine in processors.items():
            said = formula_on(made, system, processor)
            assert said["url"].endswith(f"/bulkd-{machine}-{target}-v{VERSION}.tgz") and needed not in said, said
            assert said["sha256"] == hashlib.sha256(f"{machine}-{target}".encode()).hexdigest()
    made = formula("x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl")
    assert formula_on(made, "linux", "arm")[needed] == formula_on(made, "macos", "arm")[needed] == ["linux"]
    made = formula("x86_64-unknown-linux-musl", "aarch64-apple-darwin", "x86_64-apple-darwin")
    assert formula_on(made, "linux", "arm")[needed] == [{"arch": "x86_64"}] and needed not in formula_on(made, "macos", "arm")
    made = formula("x86_64-unknown-linux-musl")
    assert formula_on(made, "macos", "arm")[needed] == [{"arch": "x86_64"}, "linux"]


# The GitHub Action


def test_the_action_is_an_action(tmp_path):
    done("check-jsonschema", "--builtin-schema", "vendor.github-actions", PACKAGING / "action/action.yml")
    # actionlint reads actions where a workflow uses them.
    done("git", "init", "--quiet", tmp_path)
    shutil.copytree(PACKAGING / "action", tmp_path / "bulkd/packaging/action")
    workflow = tmp_path / ".github/workflows/test.yml"
    workflow.parent.mkdir(parents=True)
    [steps] = re.findall(r"```yaml\n(steps:\n.*?)```", (ROOT / "docs/testing.md").read_text(), re.S)
    job = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    " + steps.replace("\n", "\n    ").rstrip()
    workflow.write_text(job + "\n")
    done("actionlint", "-no-color", workflow, cwd=tmp_path)
    # And it does so: what the action does not take is found.
    workflow.write_text(job.replace("flags:", "flag:") + "\n")
    with pytest.raises(AssertionError, match='input "flag" is not defined'):
        done("actionlint", "-no-color", workflow, cwd=tmp_path)


class Runner:
    """Runs the steps of a composite action as GitHub's runner does, on a machine where pip finds the packages."""

    def __init__(self, folder, packages):
        self.folder = folder
        self.files = {name: folder / name for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT")}
        self.env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "RUNNER_TEMP": str(folder / "temp"), "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(packages), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_PROXY": "127.0.0.1",
        }
        (folder / "temp").mkdir()

    def run(self, action, given):
        about = yaml.safe_load(action.read_text())
        inputs = {name: given.get(name, it["default"]) for name, it in about["inputs"].items()}

        known = {f"inputs.{name}": value for name, value in inputs.items()}

        def filled(text):
            return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: known[found[1]], text)

        for step in about["runs"]["steps"]:
            assert step["shell"] == "bash" and "${{" not in step["run"], "what is put into a script is run by it"
            env = {name: filled(value) for name, value in step["env"].items()}
            self.step(step["run"], **env)
            for name, value in (line.split("=", 1) for line in self.files["GITHUB_OUTPUT"].read_text().splitlines()):
                known[f"steps.{step['id']}.outputs.{name}"] = value
        return {name: filled(it["value"]) for name, it in about["outputs"].items()}

    def step(self, script, **env):
        done("shellcheck", "--shell", "bash", "-", input=script)
        for file in self.files.values():
            file.touch()
        self.files["GITHUB_OUTPUT"].write_text("")
        env = {**self.env, **env, **{name: str(file) for name, file in self.files.items()}}
        # A daemon that is left running keeps no pipe of ours.
        script_file, log = self.folder / "step.sh", self.folder / "log"
        script_file.write_text(script)
        with log.open("w") as out:
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", script_file]
            ended = subprocess.run(command, cwd=self.folder, env=env, stdout=out, stderr=out).returncode
        for name, value in (line.split("=", 1) for line in self.files["GITHUB_ENV"].read_text().splitlines()):
            self.env[name] = value
        self.env["PATH"] = ":".join([*self.files["GITHUB_PATH"].read_text().split(), "/usr/local/bin:/usr/bin:/bin"])
        assert ended == 0, log.read_text()
        return log.read_text()


@pytest.fixture
def runner(packages, tmp_path):
    runner = Runner(tmp_path, packages)
    yield runner
    ours = f"{runner.env['RUNNER_TEMP']}/bulkd/bin/bulkd".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if read(f"/proc/{pid}/cmdline").startswith(ours):
            os.kill(int(pid), 15)


def test_the_action_starts_a_daemon_for_the_steps_behind_it(runner):
    port, action = str(free_port()), PACKAGING / "action/action.yml"
    outputs = runner.run(action, {"port": port, "flags": "--contract live", "version": VERSION})
    assert outputs == {"url": f"http://127.0.0.1:{port}", "ca": ""} and runner.env["COURIER_BASE_URL"] == outputs["url"]
    call(outputs["url"], "/send", WELCOME, runner.env["COURIER_API_KEY"])
    runner.step("bulkd doctor --fail-on error")
    # Whose flags are wrong is told so, and so is who asks for a port that is taken.
    with pytest.raises(AssertionError, match="unexpected argument '--nothing'"):
        runner.run(action, {"port": str(free_port()), "flags": "--nothing"})
    with pytest.raises(AssertionError, match=f"{port} is taken"):
        runner.run(action, {"port": port})
    runner.env["RUNNER_OS"] = "Windows"
    with pytest.raises(AssertionError, match="::error::bulkd runs on Linux and macOS"):
        runner.run(action, {"port": str(free_port())})


def test_the_action_speaks_https_from_a_wheel_that_was_made(runner, packages):
    [wheel] = packages.glob("*.whl")
    port = str(free_port())
    outputs = runner.run(PACKAGING / "action/action.yml", {"port": port, "flags": "--tls", "package": str(wheel)})
    assert outputs["url"] == f"https://127.0.0.1:{port}"
    assert runner.env["NODE_EXTRA_CA_CERTS"] == outputs["ca"] == runner.env["BULKD_CA"]
    ask = 'curl --silent --show-error --fail -H "Authorization: Bearer $COURIER_API_KEY" "$COURIER_BASE_URL/lists"'
    with pytest.raises(AssertionError, match="certificate"):
        runner.step(ask)
    assert '"items":[]' in runner.step(f'SSL_CERT_FILE="$BULKD_CA" {ask}')


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


# The systemd unit

# It boots within a copy of this machine, of which nothing stays.
BOOT = r"""
mkdir {scratch}/layers
mount -t tmpfs none {scratch}/layers
mkdir {scratch}/layers/upper {scratch}/layers/work {scratch}/root
mount -t overlay -o lowerdir=/,upperdir={scratch}/layers/upper,workdir={scratch}/layers/work none {scratch}/root
cd {scratch}/root
cp {archive}/bulkd usr/local/bin/bulkd
mkdir -p usr/local/share/man/man1
cp {archive}/man/* usr/local/share/man/man1
cp {unit} etc/systemd/system/bulkd.service
cp {scratch}/tried.service etc/systemd/system/tried.service
cp {scratch}/tried usr/local/bin/tried
rm -f etc/machine-id
cp {https} usr/local/share/https.conf
printf 'BULKD_LISTEN=127.0.0.1:4020\nBULKD_URL=http://127.0.0.1:4020\nBULKD_API_KEY=test\n' >etc/bulkd.env
mount --rbind /dev dev
chroot . systemd-analyze verify --recursive-errors=no bulkd.service 2>{scratch}/verified
umount -R dev
systemd-nspawn --quiet --register=no --keep-unit --private-network -D . --console=pipe /lib/systemd/systemd --unit=tried.service
cp tried {scratch}/told
"""
TRIED_SERVICE = """
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash -x /usr/local/bin/tried
StandardOutput=file:/tried
StandardError=inherit
ExecStopPost=systemctl poweroff --force --force
"""
TRIED = r"""
set -euo pipefail
ask() { curl --silent --fail-with-body -H 'Authorization: Bearer test' -H 'Content-Type: application/json' "$@"; }
# It is started when it answers.
systemctl start bulkd
ask http://127.0.0.1:4020/send -d '{"message": {"to": {"email": "ada@example.com"}, "content": {"title": "T", "body": "B"}}}'
ask http://127.0.0.1:4020/_bulkd/wait -d '{"outbox": {"recipient": "ada@example.com"}}'
pid=$(systemctl show --property MainPID --value bulkd)
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$pid/status"
# Killed, it comes back with what it had, and a stop is clean.
systemctl kill --signal KILL bulkd
until [[ $(systemctl show --property NRestarts --value bulkd) == 1 ]] && systemctl is-active bulkd; do read -rt 0.1 <> <(:) || :; done
ask http://127.0.0.1:4020/_bulkd/outbox
systemctl stop bulkd
systemctl show --property Result bulkd
# On the port of https, by the part of a unit that docs/operations.md has: the same file, under Courier's name.
rm /etc/bulkd.env
install -D /usr/local/share/https.conf /etc/systemd/system/bulkd.service.d/https.conf
systemctl daemon-reload
systemctl start bulkd
pid=$(systemctl show --property MainPID --value bulkd)
grep -E '^CapEff:' "/proc/$pid/status"
echo '127.0.0.1 api.courier.com' >/etc/hosts
ask --cacert /var/lib/private/bulkd/bulkd.db-ca.pem https://api.courier.com/_bulkd/outbox
systemctl stop bulkd
systemctl show --property Result bulkd
stat --format '%a %n' /var/lib/private/bulkd /var/lib/private/bulkd/bulkd.db
echo 'all was tried'
"""


def test_the_unit_starts_a_daemon_that_may_do_nothing_else(archive, tmp_path):
    unit = PACKAGING / "bulkd.service"
    exposure = done("systemd-analyze", "security", "--offline=yes", "--threshold=15", unit)
    assert "OK" in exposure.splitlines()[-1], exposure
    (tmp_path / "tried.service").write_text(TRIED_SERVICE)
    (tmp_path / "tried").write_text(TRIED)
    script = BOOT.format(scratch=tmp_path, archive=archive, unit=unit, https=PACKAGING / "https.conf")
    booted = done("timeout", "240", "unshare", "--mount", "bash", "-euxc", script)
    assert (tmp_path / "verified").read_text() == "", booted
    told = (tmp_path / "told").read_text()
    assert "all was tried" in told, told
    # None, and to take a port below 1024.
    assert re.findall(r"^CapEff:\s+(\w+)$", told, re.M) == ["0" * 16, f"{1 << 10:016x}"], told
    assert re.search(r"^Uid:\s+[1-9]\d*\s", told, re.M), told
    assert re.search(r"^NoNewPrivs:\s+1$", told, re.M) and re.search(r"^Seccomp:\s+2$", told, re.M), told
    assert told.count("Result=success") == 2 and "700 /var/lib/private/bulkd\n600 /var/lib/private/bulkd/bulkd.db" in told, told
    assert len(re.findall('"address":"ada@example.com"', told)) >= 3, told


# The image


def test_the_dockerfile_has_no_fault_that_is_known():
    # Which Rust the build has is Alpine's newest on purpose.
    done("hadolint", "--ignore", "DL3018", PACKAGING / "Dockerfile")


def test_the_image_is_built_of_what_the_build_reads():
    """Neither databases with their keys, nor what was built, nor Git's history: of the folder that Docker is given, this passes."""
    kept = []
    for line in (PACKAGING / "Dockerfile.dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            kept.append(line)
    assert kept[0] == "*", "all is left out but what is named"
    named = [line[1:] for line in kept if line.startswith("!")]
    # What Cargo packs is what builds.
    packed = done("cargo", "package", "--list", "--offline", "--allow-dirty", "--quiet", cwd=ROOT).splitlines()
    generated = {".cargo_vcs_info.json", "Cargo.toml.orig"}
    wanted = {file for file in packed if file not in generated and not file.endswith(".md")}
    # And what writes down the licences of others.
    wanted |= {"scripts/notices", "scripts/sbom"}
    missing = {file for file in wanted if not any(file == name or file.startswith(f"{name}/") for name in named)}
    assert not missing, missing
    superfluous = {name for name in named if not any(file == name or file.startswith(f"{name}/") for file in wanted)}
    assert not superfluous, superfluous
    for secret in ["bulkd.db", "bulkd.db-wal", "bulkd.db-ca-key.pem", ".git", "target", "src/bulkd.db", "src/bulkd.db-ca-key.pem"]:
        is_named = any(secret == name or secret.startswith(f"{name}/") for name in named)
        assert not is_named or any(fnmatch.fnmatch(Path(secret).name, line[3:]) for line in kept if line.startswith("**/")), secret


# docs/testing.md on containers


def fenced(language, behind):
    text = (ROOT / "docs/testing.md").read_text().split(f"### {behind}\n")[1]
    return re.search(rf"```{language}\n(.*?)```", text, re.S)[1]


# What its service is told, with which the image is tried below.
COMPOSED = {"BULKD_EPHEMERAL": "1", "BULKD_API_KEY": "*", "BULKD_ALLOW_HOST": "bulkd"}


def test_the_composition_is_one(tmp_path):
    text = fenced("yaml", "With Docker Compose and Testcontainers")
    file = tmp_path / "compose.yml"
    for content, is_taken in [(text, True), (text.replace("depends_on", "depends"), False)]:
        file.write_text(content)
        checked = subprocess.run(["check-jsonschema", "--builtin-schema", "vendor.compose-spec", file], capture_output=True)
        assert (checked.returncode == 0) == is_taken, checked.stdout
    # Its settings are those of a daemon that answers to any key there, by its service's name.
    services = yaml.safe_load(text)["services"]
    assert services["app"]["environment"]["BULKD_URL"] == "http://bulkd:4010"
    assert services["bulkd"]["environment"] == COMPOSED


def test_the_fixture_of_a_container_has_the_types_that_it_says(tmp_path):
    file = tmp_path / "conftest.py"
    file.write_text(fenced("python", "With Docker Compose and Testcontainers"))
    done(sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", file, cwd=tmp_path)
    file.write_text(file.read_text().replace("with_exposed_ports", "with_exposed_port"))
    with pytest.raises(AssertionError, match="with_exposed_port"):
        done(sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", file, cwd=tmp_path)


class Podman:
    """podman with images of its own, in a folder whose name has to be short."""

    def __init__(self, folder):
        self.own = ["podman", "--root", f"{folder}/images", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]

    def __call__(self, *command):
        # Its runtime knows either kind of control groups, and not both at once.
        within = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\""
        return done("unshare", "--mount", "sh", "-c", within, "sh", *self.own, *command)


@pytest.fixture
def podman():
    with tempfile.TemporaryDirectory() as folder:
        yield Podman(folder)


def test_the_image_is_built_and_runs(archive, tmp_path, podman):
    """The stage that compiles has a base that no package registry has: what it leaves behind is laid beside it, the binary of
    the archive, and the folders as the stage makes them."""
    text = (PACKAGING / "Dockerfile").read_text()
    steps = [step.replace("\\\n", "") for step in re.findall(r"^RUN ((?:.*\\\n)*.*)$", text.split("FROM scratch")[0], re.M)]
    [compiling] = [step for step in steps if "cargo build --release --locked --features tls,relay" in step]
    # As on either processor: the step says what its compiler is told.
    told = "cargo() { echo \"pages: ${JEMALLOC_SYS_WITH_LG_PAGE:-its own}\"; }; uname() { echo MACHINE; }; "
    for machine, pages in [("aarch64", "16"), ("x86_64", "its own")]:
        assert done("sh", "-c", told.replace("MACHINE", machine) + compiling) == f"pages: {pages}\n"
    built = tmp_path / "build"
    (built / "src/target/release").mkdir(parents=True)
    shutil.copy(archive / "bulkd", built / "src/target/release/bulkd")
    [folders] = [step for step in steps if step.startswith("mkdir -p /empty")]
    done("sh", "-c", folders.replace("/empty", f"{built}/empty"))
    [licences] = [step for step in steps if step.startswith("mkdir licenses")]
    written = f"{built}/src/licenses"
    done("sh", "-c", re.sub(r"(?<=[ >])licenses\b", written, licences), cwd=ROOT)
    # The format with HEALTHCHECK; and a build that has to run nothing needs no container.
    form = ["--format", "docker", "--isolation", "chroot"]
    podman("build", *form, "--build-context", f"build={built}", "--file", PACKAGING / "Dockerfile", "--tag", "bulkd", tmp_path)
    image = json.loads(podman("image", "inspect", "bulkd"))[0]
    config = image["Config"]
    assert (config["User"], config["Entrypoint"], config["StopSignal"]) == ("65532:65532", ["/bulkd"], "SIGTERM")
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert (labels["title"], labels["licenses"], labels["version"]) == ("bulkd", "MIT OR Apache-2.0", VERSION)
    assert labels["description"] and "source" not in labels
    assert image["Healthcheck"]["Test"] == ["CMD", "/bulkd", "ready"] and image["Size"] < 25_000_000
    # The machine's network and limits are those of the container: to make others takes what a test has not.
    shared = ["--network", "host", "--cgroups", "disabled", "--no-healthcheck"]
    shared += ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", "--env", "BULKD_API_KEY=test"]
    composed = [f"--env={name}={value}" for name, value in COMPOSED.items()]
    for name, more in [("kept", []), ("thrown-away", composed)]:
        port = free_port()
        podman("run", "--detach", "--name", name, *shared, "--env", f"BULKD_LISTEN=127.0.0.1:{port}", *more, "bulkd")
        try:
            until_it_answers(f"http://127.0.0.1:{port}", lambda: podman("logs", name))
            podman("exec", name, *config_command(image))
            for message in [WELCOME, IN_PARIS]:
                call(f"http://127.0.0.1:{port}", "/send", message)
            found = call(f"http://127.0.0.1:{port}", "/_bulkd/wait", {"outbox": {"recipient": "ada@example.com"}})
            assert found["met"], found
            for key in ["another", "one more"] if more else []:
                assert call(f"http://127.0.0.1:{port}", "/_bulkd/outbox", key=key)["items"] == []
            podman("cp", f"{name}:/licenses/.", tmp_path / "licences")
        finally:
            podman("stop", "--time", "30", name)
        state = json.loads(podman("container", "inspect", name))[0]["State"]
        assert state["ExitCode"] == 0, podman("logs", name)
        podman("rm", "--volumes", name)
    licences = {file.name: file.read_text() for file in (tmp_path / "licences").iterdir()}
    assert sorted(licences) == LICENCES and "\nrusqlite " in licences["THIRD-PARTY.txt"]


def config_command(image):
    kind, *command = image["Healthcheck"]["Test"]
    assert kind == "CMD"
    return command
