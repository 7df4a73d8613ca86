"""What belongs to an engine as a whole: the memory of its processes, and how soon it answers again after `kill -9`.

Memory is PSS (proc_pid_smaps(5)): a page that N processes share counts 1/N in each. Counted are the daemon and what it keeps beside each
container (conmon; containerd and its shims), never the containers' own processes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_PATIENCE = 120.0  # seconds until an engine must answer


def processes() -> Iterator[tuple[int, list[str]]]:
    """(pid, argv) of all processes that have an argv."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if argv[0]:
                yield int(entry.name), argv


def pss(pids: list[int]) -> float:
    """Their memory together, in MB."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def of_composer(run: str) -> tuple[list[int], list[int]]:
    """(daemon, conmons) of the engine whose run directory is ``run``."""
    daemon, beside = [], []
    for pid, argv in processes():
        if "composer.daemon" in argv and run in argv:
            daemon.append(pid)
        elif os.path.basename(argv[0]) == "conmon" and any(word.startswith(f"{run}/") for word in argv):
            beside.append(pid)
    return daemon, beside


def of_docker() -> tuple[list[int], list[int]]:
    """(dockerd and containerd, shims and port proxies) of this machine."""
    daemon, beside = [], []
    for pid, argv in processes():
        name = os.path.basename(argv[0])
        if name in ("dockerd", "containerd"):
            daemon.append(pid)
        elif name.startswith("containerd-shim") or name == "docker-proxy":
            beside.append(pid)
    return daemon, beside


def restart(daemon: int, path: str) -> tuple[float, float]:
    """Kill ``daemon`` with SIGKILL and start it again with its own arguments: seconds of wall and of its CPU until it lists containers."""
    entry = Path(f"/proc/{daemon}")
    argv = [word for word in (entry / "cmdline").read_bytes().decode().split("\0") if word]
    environment = dict(word.split("=", 1) for word in (entry / "environ").read_bytes().decode().split("\0") if "=" in word)
    program = os.readlink(entry / "exe") if "composer.daemon" not in argv else argv[0]
    os.kill(daemon, signal.SIGKILL)
    _gone(daemon)
    began = time.perf_counter()
    process = subprocess.Popen(
        [program, *argv[1:]],
        env=environment,
        cwd="/",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not _answers(path):
        if time.perf_counter() - began > _PATIENCE:
            raise TimeoutError(f"{program} does not answer at {path}")
        time.sleep(0.002)
    wall = time.perf_counter() - began
    words = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return wall, (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _gone(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    deadline = time.monotonic() + _PATIENCE
    try:
        while time.monotonic() < deadline:
            try:
                signal.pidfd_send_signal(pidfd, 0)
                if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                    return
            except (ProcessLookupError, FileNotFoundError):
                return
            time.sleep(0.001)
    finally:
        os.close(pidfd)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            client.sendall(b"GET /containers/json HTTP/1.1\r\nHost: engine\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
