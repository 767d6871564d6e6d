"""Replicates a file with Litestream while bulkd serves it, loses the file, and goes on with what was replicated."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

BULKD, LITESTREAM = sys.argv[1:]
# Users of a call, and of a job: with their data some 100 MB, so that logs are started over meanwhile.
CALL, USERS = 1_000, 25_000
PATIENCE = 120
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("BULKD_", "LITESTREAM_"))}


class Process:
    """A program that is ended with the test, and what it writes."""

    running = []

    def __init__(self, *command, log):
        self.log = open(log, "w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, env=ENVIRONMENT)
        Process.running.append(self)

    def text(self):
        with open(self.log.name) as log:
            return log.read()

    def says(self, pattern):
        return wait_until(f"{pattern!r} in {self.log.name}", lambda: re.search(pattern, self.text()))

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        Process.running.remove(self)
        assert "panicked" not in self.text(), self.text()


def wait_until(what, so):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := so():
            return found
        time.sleep(0.01)
    raise AssertionError(f"still not so: {what}")


class Daemon(Process):
    def __init__(self, database, log):
        super().__init__(BULKD, "--listen", "127.0.0.1:0", "--db", database, "--litestream", log=log)
        self.url = self.says(r"bulkd answers on (http://[^ ,;]+)").group(1)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer acme", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=PATIENCE) as reply:
            return json.loads(reply.read())

    def create(self):
        content = {"title": "Hello {{name}}", "body": "Week 12"}
        return self.ask("/bulk", {"message": {"message": {"content": content}}})["jobId"]

    def ingest(self, job, first):
        def user(i):
            return {"recipient": f"r-{i}", "profile": {"email": f"r-{i}@example.com"},
                    "data": {"name": f"R {i}", "padding": "x" * 3_000}}

        answer = self.ask(f"/bulk/{job}", {"users": [user(i) for i in range(first, first + CALL)]})
        assert answer == {"errors": [], "total": CALL}, answer

    def job(self, job):
        return self.ask(f"/bulk/{job}")["job"]

    def completed(self, job):
        return wait_until("the job is COMPLETED", lambda: (it := self.job(job))["status"] == "COMPLETED" and it)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
                          env=ENVIRONMENT)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


class Folder:
    def __init__(self, path):
        self.path, self.starts = path, 0

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def daemon(self):
        self.starts += 1
        return Daemon(self / "bulkd.db", self / f"bulkd-{self.starts}.log")

    def replicate(self):
        self.starts += 1
        log = self / f"litestream-{self.starts}.log"
        return Process(LITESTREAM, "replicate", self / "bulkd.db", f"file://{self / 'replica'}", log=log)

    def restored(self):
        """What was replicated, which has to be sound: its number of users."""
        if os.path.exists(self / "restored.db"):
            os.remove(self / "restored.db")
        run(LITESTREAM, "restore", "-o", self / "restored.db", f"file://{self / 'replica'}")
        return int(re.search(r"is sound: \d+ jobs, (\d+) users", run(BULKD, "check", self / "restored.db")).group(1))

    def lose(self):
        for name in os.listdir(self.path):
            if name.startswith(("bulkd.db", ".bulkd.db")):
                run("rm", "-r", self / name)


def what_was_replicated_goes_on_in_place_of_what_was_lost(folder):
    daemon = folder.daemon()
    litestream = folder.replicate()
    litestream.says("snapshot complete")
    job, whole = daemon.create(), daemon.create()
    for first in range(0, USERS, CALL):
        daemon.ingest(job, first)
        # Either may be started anew beside the other.
        if first == 8 * CALL:
            litestream.end(signal.SIGTERM)
            litestream = folder.replicate()
        if first == 16 * CALL:
            daemon.end(signal.SIGTERM)
            daemon = folder.daemon()
            assert "did not end cleanly" not in daemon.text(), daemon.text()
    daemon.ingest(whole, 0)
    daemon.ask(f"/bulk/{whole}/run", {})
    assert daemon.completed(whole)["enqueued"] == CALL
    # It copies once a second, and at its end only if it has copied before.
    wait_until("all is replicated", lambda: folder.restored() == USERS + CALL)
    litestream.end(signal.SIGTERM)
    daemon.end(signal.SIGKILL)
    folder.lose()
    assert folder.restored() == USERS + CALL
    told = run(BULKD, "restore", "--db", folder / "bulkd.db", folder / "restored.db")
    assert "was restored from" in told, told
    daemon = folder.daemon()
    assert daemon.job(whole)["status"] == "COMPLETED"
    daemon.ask(f"/bulk/{job}/run", {})
    assert daemon.completed(job)["enqueued"] == USERS
    daemon.end(signal.SIGTERM)


def what_was_replicated_when_all_was_killed_is_sound(folder):
    for kills in range(3):
        daemon = folder.daemon()
        litestream = folder.replicate()
        litestream.says("replicating to" if kills else "snapshot complete")
        job = daemon.create()
        for first in range(0, USERS // 5, CALL):
            daemon.ingest(job, first)
        daemon.ask(f"/bulk/{job}/run", {})
        wait_until("some of the job is done", lambda: daemon.job(job)["enqueued"] > 0)
        litestream.end(signal.SIGKILL)
        daemon.end(signal.SIGKILL)
        # It is copied once a second: what came last may be missing.
        restored = folder.restored()
        assert restored <= (kills + 1) * (USERS // 5), restored
    daemon = folder.daemon()
    litestream = folder.replicate()
    assert "of its log were taken over" in daemon.text(), daemon.text()
    assert daemon.completed(job)["enqueued"] == USERS // 5
    wait_until("all is replicated", lambda: folder.restored() == 3 * (USERS // 5))
    daemon.end(signal.SIGTERM)
    litestream.end(signal.SIGTERM)


def main():
    failed = 0
    drills = [what_was_replicated_goes_on_in_place_of_what_was_lost, what_was_replicated_when_all_was_killed_is_sound]
    for drill in drills:
        with tempfile.TemporaryDirectory() as path:
            try:
                drill(Folder(path))
                print(f"ok {drill.__name__}")
            except Exception:
                failed += 1
                print(f"FAILED {drill.__name__}: {traceback.format_exc()}")
                for process in list(Process.running):
                    print(process.text())
            finally:
                for process in list(Process.running):
                    process.process.kill()
                    process.process.wait()
                Process.running.clear()
    print(f"{len(drills) - failed} passed, {failed} failed")
    return failed


sys.exit(main())
