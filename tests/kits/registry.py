"""A package registry, npm's and PyPI's, that has the packages of a folder and leads on to the real one for all others.

    registry.py FOLDER NPM_REGISTRY PYPI_INDEX

It takes a free port of 127.0.0.1. Its first line is its address, which is that of npm's registry; PyPI's index is /simple
below it. What it has itself nobody is to keep: the next run has other files of the same version.
"""

import base64
import hashlib
import http.server
import json
import re
import sys
import tarfile
import urllib.parse
from pathlib import Path

FOLDER, NPM, PYPI = Path(sys.argv[1]), sys.argv[2].rstrip("/"), sys.argv[3].rstrip("/")
OWN = re.compile(r"bulkd|@bulkd/[\w-]+")


def npm_packages():
    """What npm asks for by a package's name: what the package says of itself, where its file is, and its sums."""
    found = {}
    for file in FOLDER.glob("*.tgz"):
        with tarfile.open(file) as archive:
            if "package/package.json" not in archive.getnames():
                continue
            about = json.load(archive.extractfile("package/package.json"))
        content = file.read_bytes()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        dist = {"tarball": f"{address}/files/{file.name}", "integrity": integrity, "shasum": hashlib.sha1(content).hexdigest()}
        version = about["version"]
        about |= {"_id": f"{about['name']}@{version}", "dist": dist}
        found[about["name"]] = {
            "name": about["name"],
            "dist-tags": {"latest": version},
            "versions": {version: about},
            "time": dict.fromkeys(["created", "modified", version], "2020-01-01T00:00:00.000Z"),
        }
    return found


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if (file := FOLDER / Path(path).name) and path.startswith("/files/") and file.is_file():
            self.answer(200, file.read_bytes(), "application/octet-stream")
        elif path == "/simple/bulkd/":
            links = [f'<a href="/files/{it.name}#sha256={digest(it)}">{it.name}</a>' for it in FOLDER.glob("*.whl")]
            self.answer(200, f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode(), "text/html")
        elif path.startswith("/simple/"):
            self.lead_on(PYPI + self.path.removeprefix("/simple"))
        elif (package := packages.get(path[1:])) is not None:
            self.answer(200, json.dumps(package).encode(), "application/json")
        elif OWN.fullmatch(path[1:]):
            # Nobody else's package is taken for one of ours.
            self.answer(404, b"{}", "application/json")
        else:
            self.lead_on(NPM + self.path)

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def lead_on(self, to):
        self.send_response(302)
        self.send_header("location", to)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
address = f"http://127.0.0.1:{server.server_port}"
packages = npm_packages()
print(address, flush=True)
server.serve_forever()
