"""E-mails from bulkd to aiosmtpd, MailDev and a server by https: each comes once, whole, and becomes DELIVERED."""

import email
import email.policy
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

MESSAGES = 200
PATIENCE = 60


class Taken:
    """What the server has taken."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 taken"


class Bulkd:
    def __init__(self, binary, folder, target, *flags, **env):
        arguments = [binary, "--listen", "127.0.0.1:0", "--db", f"{folder}/bulkd.db", "--deliver", f"email={target}", *flags]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, f"it did not start: {line!r}"
        self.url = found[0]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer acme", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or "null")

    def send(self, first, count):
        message = {"content": {"title": "Grüße, {{name}}", "body": "Week 12\n.\n..end of the line"}}
        job_id = self.call("POST", "/bulk", {"message": {"message": message}})["jobId"]
        users = [
            {"recipient": f"r{i}", "profile": {"email": f"r{i}@example.com"}, "data": {"name": f"Reader {i}"}}
            for i in range(first, first + count)
        ]
        self.call("POST", f"/bulk/{job_id}", {"users": users})
        self.call("POST", f"/bulk/{job_id}/run", {})
        return job_id

    def wait(self, so, what):
        begun = time.monotonic()
        while not so(shown := self.call("GET", "/_bulkd/deliver")["items"][0]):
            assert time.monotonic() - begun < PATIENCE, f"still not {what}: {shown}"
            time.sleep(0.05)
        return shown

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)


def delivered(binary, scheme, controller, taken, **env):
    with tempfile.TemporaryDirectory() as folder:
        target = f"{scheme}localhost:{controller.port}" if "://" in scheme else scheme
        bulkd = Bulkd(binary, folder, target, **env)
        job_id = bulkd.send(0, MESSAGES)
        # Killed in the middle, it goes on where it was.
        begun = time.monotonic()
        while len(taken.mails) < MESSAGES // 4:
            assert time.monotonic() - begun < PATIENCE, bulkd.call("GET", "/_bulkd/deliver")
            time.sleep(0.005)
        bulkd.end(signal.SIGKILL)
        bulkd = Bulkd(binary, folder, target, **env)
        bulkd.wait(lambda it: it["queued"] == 0 and it["behind"] == 0 and it["delivered"] == MESSAGES, "done")
        outbox = bulkd.call("GET", f"/_bulkd/outbox?job_id={job_id}&limit=1000")["items"]
        assert {it["status"] for it in outbox} == {"DELIVERED"}, outbox[:3]
        bulkd.end()
    times = {}
    for sender, recipients, content in taken.mails:
        read = email.message_from_bytes(content, policy=email.policy.default)
        number = int(re.fullmatch(r"r(\d+)@example\.com", recipients[0])[1])
        assert sender == "no-reply@example.com" and read["Subject"] == f"Grüße, Reader {number}", (sender, read["Subject"])
        text = read.get_body(("plain",)).get_content().replace("\r\n", "\n")
        assert "\n.\n..end of the line" in text, text
        times.setdefault(number, []).append(read["Message-ID"])
    assert sorted(times) == list(range(MESSAGES))
    twice = [ids for ids in times.values() if len(ids) > 1]
    assert len(twice) <= 32 and all(len(set(ids)) == 1 for ids in twice), twice
    print(f"{target}: {MESSAGES} e-mails, {len(twice)} of them twice after a kill")


class Secure(http.server.ThreadingHTTPServer):
    """A server by https that takes all, and keeps what it was told."""

    def __init__(self, context):
        self.calls = []
        super().__init__(("127.0.0.1", 0), SecureHandler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_port}"

    def handle_error(self, request, client_address):
        """Whoever does not trust the certificate ends the handshake."""


class SecureHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append((self.path, self.headers["Authorization"], body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def delivered_by_https(binary, context, trust):
    key = {"SENDGRID_API_KEY": "key-1"}
    with Secure(context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as folder:
            stranger = Bulkd(binary, folder, f"provider@{server.url}", "--deliver-errors", "1", **key)
            stranger.send(0, 1)
            shown = stranger.wait(lambda it: it["paused"], "paused")
            assert "certificate" in shown["paused_reason"], shown
            assert not server.calls, server.calls
            stranger.call("PUT", "/_bulkd/deliver/email", {"paused": False})
            stranger.end()
            bulkd = Bulkd(binary, folder, f"provider@{server.url}", **key, **trust)
            bulkd.send(1, MESSAGES - 1)
            bulkd.wait(lambda it: it["queued"] == 0 and it["behind"] == 0 and it["delivered"] == MESSAGES, "done")
            bulkd.end()
        paths = {(path, authorization) for path, authorization, _ in server.calls}
        assert paths == {("/v3/mail/send", "Bearer key-1")}, paths
        to = [call["personalizations"][0]["to"][0]["email"] for _, _, call in server.calls]
        assert sorted(to) == sorted(f"r{i}@example.com" for i in range(MESSAGES)), to
        server.calls.clear()
        with tempfile.TemporaryDirectory() as folder:
            bulkd = Bulkd(binary, folder, f"{server.url}/hook", **trust)
            bulkd.send(0, 10)
            bulkd.wait(lambda it: it["queued"] == 0 and it["behind"] == 0 and it["delivered"] == 10, "done")
            bulkd.end()
        assert sorted(call["data"]["recipient"] for _, _, call in server.calls) == [f"r{i}" for i in range(10)]
        server.shutdown()
    print(f"https: {MESSAGES} requests of a provider with its key, 10 of a webhook, none without trust")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def shown_by_maildev(binary, maildev):
    """What MailDev reads out of the e-mails, by its own parser, is what the outbox has."""
    smtp, web = free_port(), free_port()
    command = [maildev, "--smtp", str(smtp), "--web", str(web), "--ip", "127.0.0.1", "--web-ip", "127.0.0.1", "--silent"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, env={**os.environ, "TMPDIR": folder}) as server:
        try:
            begun = time.monotonic()
            while not answers(smtp) or not answers(web):
                assert server.poll() is None and time.monotonic() - begun < PATIENCE, "MailDev did not start"
                time.sleep(0.05)
            bulkd = Bulkd(binary, folder, f"smtp://127.0.0.1:{smtp}")
            job_id = bulkd.send(0, MESSAGES)
            bulkd.wait(lambda it: it["queued"] == 0 and it["behind"] == 0 and it["delivered"] == MESSAGES, "done")
            outbox = bulkd.call("GET", f"/_bulkd/outbox?job_id={job_id}&limit=1000")["items"]
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/email", timeout=PATIENCE) as answer:
                mails = json.loads(answer.read())
            bulkd.end()
        finally:
            server.terminate()
    expected = {it["address"]: it for it in outbox}
    assert len(mails) == len(expected) == MESSAGES, len(mails)
    for mail in mails:
        [address] = [it["address"] for it in mail["to"]]
        sent = expected.pop(address)
        assert [it["address"] for it in mail["envelope"]["to"]] == [address], mail["envelope"]
        assert mail["from"][0]["address"] == mail["envelope"]["from"]["address"] == "no-reply@example.com", mail["from"]
        assert mail["subject"] == sent["subject"] and mail["text"].strip() == sent["body"].strip(), (mail["text"], sent["body"])
        assert sent["body"].split("\n")[0] in mail["html"], mail["html"]
        assert mail["messageId"].startswith(sent["message_id"]), mail["messageId"]
    print(f"MailDev has {MESSAGES} e-mails")


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def with_server(check, **settings):
    taken = Taken()
    controller = Controller(taken, hostname="localhost", port=free_port(), ready_timeout=PATIENCE, **settings)
    controller.start()
    try:
        check(controller, taken)
    finally:
        controller.stop()


def has_tls(binary):
    with tempfile.TemporaryDirectory() as folder:
        arguments = [binary, "ca", "--db", f"{folder}/bulkd.db"]
        return subprocess.run(arguments, capture_output=True).returncode == 0


def main(binary, maildev):
    shown_by_maildev(binary, maildev)
    with_server(lambda controller, taken: delivered(binary, "smtp://", controller, taken))
    login = lambda server, session, envelope, mechanism, data: AuthResult(
        success=(data.login, data.password) == (b"ada", b"s3cret")
    )
    with_server(
        lambda controller, taken: delivered(binary, "smtp://ada@", controller, taken, BULKD_SMTP_PASSWORD="s3cret"),
        authenticator=login, auth_required=True, auth_require_tls=False,
    )
    if not has_tls(binary):
        return print("this binary has no TLS")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
            check=True, capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        trust = {"SSL_CERT_FILE": f"{folder}/cert.pem"}
        with_server(lambda controller, taken: delivered(binary, "smtps://", controller, taken, **trust), ssl_context=context)
        with_server(
            lambda controller, taken: delivered(binary, "smtp+starttls://", controller, taken, **trust),
            tls_context=context, require_starttls=True,
        )
        delivered_by_https(binary, context, trust)


main(*sys.argv[1:])
