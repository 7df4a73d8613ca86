"""Real git servers on loopback: `git http-backend` behind a small web server (with TLS and basic authentication), `git daemon`, sshd."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
BACKEND = "/usr/lib/git-core/git-http-backend"


class Web(http.server.BaseHTTPRequestHandler):
    """CGI for git-http-backend(1), and nothing else. ``server.password``: basic authentication is asked for."""

    protocol_version = "HTTP/1.1"
    root: Path
    password = ""
    redirect = ""

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(body)

    def answer(self, body: bytes) -> None:
        if self.redirect:
            self.reply(302, [("Location", self.redirect + self.path)], b"")
            return
        wanted = base64.b64encode(self.password.encode()).decode()
        if self.password and self.headers.get("Authorization") != f"Basic {wanted}":
            self.reply(401, [("WWW-Authenticate", 'Basic realm="git"')], b"no\n")
            return
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run([BACKEND], input=body, env=env, capture_output=True, timeout=60, check=False)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.reply(status, [(name, value) for name, value in headers if name != "Status"], rest)

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


@contextmanager
def web(root: Path, *, password: str = "", certificate: tuple[Path, Path] | None = None, redirect: str = "") -> Iterator[str]:
    """The base URL of a web server that has the repositories beneath ``root``. ``password``: USER:PASSWORD."""
    kind = type("Here", (Web,), {"root": root, "password": password, "redirect": redirect})
    server = Threads(("127.0.0.1", 0), kind)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = directory / "cert.pem", directory / "key.pem"
    found[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return found


@contextmanager
def git_daemon(root: Path) -> Iterator[str]:
    """The base URL of a git daemon that has the repositories beneath ``root``."""
    port = free_port()
    command = ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}", str(root)]
    with _running(command, port):
        yield f"git://127.0.0.1:{port}"


@contextmanager
def sshd(directory: Path, authorized: Path) -> Iterator[tuple[str, Path]]:
    """The address (without a path) of an ssh server with a host key of its own, and the file of known hosts that names it."""
    assert SSHD, "sshd is not installed"
    host = directory / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host)], check=True, timeout=20)
    port = free_port()
    Path("/run/sshd").mkdir(exist_ok=True)
    config = directory / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\nAuthorizedKeysFile {authorized}\nPasswordAuthentication no\n"
        "UsePAM no\nPermitRootLogin prohibit-password\nStrictModes no\nLogLevel ERROR\n"
    )
    known = directory / "known_hosts"
    words = host.with_suffix(".pub").read_text().split()
    known.write_text(f"[127.0.0.1]:{port} {words[0]} {words[1]}\n")
    with _running([SSHD, "-D", "-e", "-f", str(config)], port):
        yield f"ssh://{os.environ.get('USER', 'root')}@127.0.0.1:{port}", known


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        end = time.monotonic() + 10
        while not _answers(port):
            assert process.poll() is None, f"{command[0]} ended: {process.stderr.read() if process.stderr else b''!r}"
            assert time.monotonic() < end, f"{command[0]} does not listen"
            time.sleep(0.02)
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
