"""The completions, each loaded by its shell: bash and zsh at a terminal, fish by its own question."""

import os
import pty
import re
import select
import signal
import time

import pytest

from conftest import done

PATIENCE = 60


class Terminal:
    """A shell at a terminal, into which somebody types."""

    def __init__(self, home, *command):
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8", "PS1": "> "}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execvpe(command[0], command, env)
        self.text = ""

    def type(self, text):
        self.text = ""
        os.write(self.terminal, text.encode())

    def shows(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no {pattern!r} within {PATIENCE} s in {self.text!r}"
            self.text += os.read(self.terminal, 65_536).decode(errors="replace")
        return found

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def terminal(tmp_path, archive):
    folder, open_ones = archive / "completions", []

    def start(shell):
        shells = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
        loading = {
            "bash": f"source {folder}/bulkd.bash; echo load''ed\n",
            "zsh": f"fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; echo load''ed\n",
        }
        started = Terminal(tmp_path, *shells[shell])
        open_ones.append(started)
        started.shows("> ")
        started.type(loading[shell])
        started.shows(r"loaded\r?\n")
        return started

    yield start
    for it in open_ones:
        it.end()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_flag_and_a_command_are_completed_by_a_tab(terminal, shell):
    started = terminal(shell)
    started.type("bulkd serve --ephem\t")
    started.shows("--ephemeral ")
    started.type("\x15bulkd prom\t")
    started.shows("bulkd promote ")
    # A flag with named values.
    started.type("\x15bulkd serve --durability fa\t")
    started.shows("--durability fast ")


def fish(archive, line):
    told = done("fish", "--no-config", "--command", f"source {archive}/completions/bulkd.fish; complete --do-complete '{line}'")
    return [answer.split("\t")[0] for answer in told.splitlines()]


def test_fish_completes_a_flag_a_command_and_a_value(archive):
    assert fish(archive, "bulkd serve --ephem") == ["--ephemeral"]
    assert fish(archive, "bulkd prom") == ["promote"]
    assert fish(archive, "bulkd serve --durability fa") == ["fast"]


def test_elvish_reads_its_file(archive):
    """Its completer is there at a terminal alone: a stand-in takes its place, and is asked."""
    text = (archive / "completions" / "bulkd.elv").read_text()
    text = text.replace("edit:completion:arg-completer", "completer").replace("edit:complex-candidate", "candidate")
    stand_in = "fn candidate {|name &display=''| put $name }\nvar completer = [&]\n"
    asked = "\n$completer[bulkd] bulkd serve --ephem | each {|it| echo $it }\n"
    assert "--ephemeral" in done("elvish", "-norc", "-c", stand_in + text + asked).split()
