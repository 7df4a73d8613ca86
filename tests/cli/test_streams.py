"""Logs, progress, and sessions: bytes that come as they like, and what the user sees."""

from __future__ import annotations

import io
import os
import pty
import socket
import sys
import termios
import threading
import time

import pytest

from composer.cli.console import Console
from composer.cli.http import Connection, Reply
from composer.cli.logs import Line, LogPrinter, LogStream, after, merged
from composer.cli.progress import Live, Plain
from composer.cli.session import Frames, Session


def frame(stream: int, data: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def reply(sock: socket.socket, status: int = 200) -> Reply:
    return Reply(Connection(sock), status, {}, False)


def test_frames_are_cut_whatever_the_pieces() -> None:
    data = frame(1, b"out") + frame(2, b"") + frame(2, b"error")
    for size in (1, 3, 8, 100):
        frames = Frames()
        found = [item for at in range(0, len(data), size) for item in frames.feed(data[at : at + size])]
        assert found == [(1, b"out"), (2, b""), (2, b"error")]


def log_of(text: bytes, container: str = "web-1", *, tty: bool = False) -> LogStream:
    """The stream closes its socket when it has been read to the end."""
    ours, theirs = socket.socketpair()
    theirs.sendall(text)
    theirs.close()
    return LogStream(reply(ours), container, frames=None if tty else Frames())


T1, T2, T3 = (f"2026-11-24T14:30:0{n}.000000000Z".encode() for n in (1, 2, 3))


def test_lines_have_their_time_and_a_last_one_needs_no_end() -> None:
    stream = log_of(frame(1, T1 + b" one\n" + T2 + b" t") + frame(2, T2 + b" err\n") + frame(1, b"wo"))
    assert list(stream.lines()) == [Line(T1, 1, b"one"), Line(T2, 2, b"err"), Line(T2, 1, b"two")]
    assert stream.last == T2


def test_a_terminals_carriage_returns_are_kept() -> None:
    assert [line.text for line in log_of(T1 + b" a\r\n", tty=True).lines()] == [b"a\r"]


def test_logs_are_merged_by_time() -> None:
    one = log_of(frame(1, T1 + b" a\n" + T3 + b" c\n"), "one")
    two = log_of(frame(1, T2 + b" b\n"), "two")
    assert [(name, line.text) for name, line in merged([one, two])] == [("one", b"a"), ("two", b"b"), ("one", b"c")]


def test_going_on_behind_a_line() -> None:
    assert after(b"2026-11-24T14:30:01.999999999Z") == "1795530602.000000000"
    assert after(b"") is None


def test_prefixes_are_aligned_as_docker_compose_does(capfd: pytest.CaptureFixture[str]) -> None:
    printer = LogPrinter(Console())
    printer.register(["web-1", "database-1"])
    printer.line("web-1", Line(T1, 1, b"hello"))
    printer.line("database-1", Line(T1, 2, b"oops"))
    printer.say("web-1", "exited with code 3")
    printer.flush()
    out, err = capfd.readouterr()
    assert out == "web-1       | hello\nweb-1 exited with code 3\n"
    assert err == "database-1  | oops\n"


def test_plain_progress_says_each_change_once(capfd: pytest.CaptureFixture[str]) -> None:
    plain = Plain(dry_run=False)
    for status in ("Creating", "Created", "Created", "Starting", "Started"):
        plain.event({"id": "Container p-a-1", "status": status})
    plain.event({"id": "a", "status": "Building", "detail": "step 1"})
    plain.event({"id": "a", "status": "Building", "detail": "step 2"})
    assert capfd.readouterr().err.splitlines() == [
        " Container p-a-1  Creating",
        " Container p-a-1  Created",
        " Container p-a-1  Starting",
        " Container p-a-1  Started",
        " a  Building step 1",
        " a  step 2",
    ]


def test_live_progress_is_drawn_over_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    live = Live(Console(ansi="never"), "Running", dry_run=False)
    live.event({"id": "Container a", "status": "Starting"})
    live.event({"id": "Container a", "status": "Started", "done": True})
    live.event({"id": "Container b", "status": "Error", "error": True, "detail": "no"})
    live.close()
    last = screen.getvalue().rpartition("A")[2]
    assert "[+] Running 2/2" in last
    assert " ✔ Container a  Started" in last
    assert " ✘ Container b  Error no" in last


def test_a_session_copies_both_ways_and_ends_with_the_output() -> None:
    """In a child, whose stdin, stdout and stderr are pipes of ours."""
    ours, theirs = socket.socketpair()
    stdin_read, stdin_write = os.pipe()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(stdin_read, 0)
        os.dup2(out_write, 1)
        os.dup2(err_write, 2)
        for descriptor in (stdin_write, out_read, err_read):
            os.close(descriptor)
        theirs.close()
        Session(reply(ours, 101), tty=False, stdin=True).run()
        os._exit(0)
    for descriptor in (stdin_read, out_write, err_write):
        os.close(descriptor)
    ours.close()
    big = b"x" * 3_000_000
    received = bytearray()

    def other_end() -> None:
        while piece := theirs.recv(65536):
            received.extend(piece)
        theirs.sendall(frame(1, b"bye") + frame(2, b"err"))
        theirs.close()

    thread = threading.Thread(target=other_end)
    thread.start()
    with open(stdin_write, "wb") as file:
        file.write(big)
    thread.join(20)
    assert bytes(received) == big
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(out_read, 100) == b"bye"
    assert os.read(err_read, 100) == b"err"
    os.close(out_read)
    os.close(err_read)


def _typed(session: Session, *pieces: bytes) -> bytes:
    return b"".join(session._without_keys(piece) for piece in pieces)


def test_detach_keys_are_found_across_reads_and_nothing_else_is_lost() -> None:
    ours, theirs = socket.socketpair()
    session = Session(reply(ours, 101), tty=True, stdin=False, keys=b"\x10\x11")
    assert _typed(session, b"a\x10", b"b") == b"a\x10b"
    assert not session.detached
    assert _typed(session, b"\x10\x10", b"\x11rest") == b"\x10"
    assert session.detached
    ours.close()
    theirs.close()


def test_a_terminal_is_raw_for_the_time_of_the_session() -> None:
    ours, theirs = socket.socketpair()
    child, terminal = pty.fork()
    if child == 0:
        theirs.close()
        before = termios.tcgetattr(0)
        session = Session(reply(ours, 101), tty=True, stdin=True, resize=lambda rows, columns: None)
        session.run()
        os._exit(0 if termios.tcgetattr(0) == before else 3)
    ours.close()
    deadline = time.monotonic() + 10
    while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < deadline:
        time.sleep(0.01)
    os.write(terminal, b"\x03ls\r")  # Ctrl-C goes to the process, not to us
    assert theirs.recv(100) == b"\x03ls\r"
    theirs.sendall(b"answer")
    theirs.close()
    assert b"answer" in os.read(terminal, 1000)
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
