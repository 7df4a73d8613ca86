"""What the engine remembers: rows of JSON in SQLite, each table also whole in memory (the daemon is the one writer).

Writes that are awaited in the same moment share one transaction, so that recording 100 containers costs one fsync, not 100
(FACTS 8). Durable writes (the default) are on disk when ``put`` returns; ``durable=False`` is for status that a restart can observe
again. A crash loses no durable row and never shows half of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from composer.engine.errors import Unavailable

SCHEMA = 1
_RESERVE = 1 << 20  # bytes kept back, so that rows can be deleted on a full disk: in the WAL and the database, and in a file beside
_APPLICATION = 0x636D7072  # "cmpr": an empty or foreign file is not our database

T = TypeVar("T")
Write = tuple[str, tuple[Any, ...]]


class State:
    """One SQLite database. Open it once; `table` gives typed access; `close` at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fresh = not path.exists() or path.stat().st_size == 0  # then what runs is not known from here: observe the kernel
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._later: list[Write] = []
        self._flushing: asyncio.Task[None] | None = None
        self._reserve = path.with_name(f"{path.name}-reserve")
        self._db = self._thread.submit(self._open_even_when_full).result()

    def _open_even_when_full(self) -> sqlite3.Connection:
        try:
            db = self._open()
        except Unavailable:
            if not self._use_reserve():
                raise
            db = self._open()
        with contextlib.suppress(sqlite3.Error, OSError):  # full already: then there is nothing to keep back
            db.execute("PRAGMA wal_autocheckpoint=200")
            db.execute("REPLACE INTO rows (kind, key, doc) VALUES ('reserve', '', zeroblob(?))", (_RESERVE,))
            db.execute("DELETE FROM rows WHERE kind = 'reserve'")
            db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()  # the WAL keeps its length and is written from its start again
            self._keep_reserve()
        return db

    def _use_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except FileNotFoundError:
            return False
        return True

    def _keep_reserve(self) -> None:
        if not self._reserve.exists():
            fd = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, _RESERVE)
            except OSError:
                self._reserve.unlink()
                raise
            finally:
                os.close(fd)

    def _open(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            found = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if not self.fresh and found != _APPLICATION:
                raise Unavailable(f"{self.path} is not a database of composer", hint="name another --root, or move the file away")
            if version > SCHEMA:
                raise Unavailable(f"{self.path} was written by a newer composer (schema {version}, this one knows {SCHEMA})")
            db.execute("CREATE TABLE IF NOT EXISTS rows (kind TEXT, key TEXT, doc TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID")
            db.execute(f"PRAGMA application_id={_APPLICATION}")
            db.execute(f"PRAGMA user_version={SCHEMA}")
        except sqlite3.Error as error:
            raise Unavailable(
                f"cannot open the state {self.path}: {error}", hint="restore it from a copy, or name another --root"
            ) from error
        return db

    def read(self, kind: str) -> dict[str, Any]:
        """All rows of a kind, decoded."""
        rows = self._thread.submit(lambda: self._db.execute("SELECT key, doc FROM rows WHERE kind = ?", (kind,)).fetchall()).result()
        return {key: json.loads(doc) for key, doc in rows}

    async def write(self, sql: str, values: tuple[Any, ...], *, durable: bool = True) -> None:
        """Run one statement in the next shared transaction; awaited: it is committed."""
        if not durable:
            self._later.append((sql, values))
            self._start()
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((sql, values), done))
        self._start()
        await done

    def _start(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # let others of this moment join
        while self._waiting or self._later:
            waiting, later = self._waiting, self._later
            self._waiting, self._later = [], []
            writes = later + [write for write, _ in waiting]
            try:
                await loop.run_in_executor(self._thread, self._commit, writes, bool(waiting))
            except sqlite3.Error as error:
                problem = Unavailable(f"cannot write the state {self.path}: {error}", hint="is the disk full?")
                for _, done in waiting:
                    if not done.done():
                        done.set_exception(problem)
                continue
            for _, done in waiting:
                if not done.done():
                    done.set_result(None)

    def _commit(self, writes: list[Write], durable: bool) -> None:
        try:
            self._commit_once(writes, durable)
        except sqlite3.OperationalError:  # full: what is kept back is for this
            if not self._use_reserve():
                raise
            self._commit_once(writes, durable)

    def _commit_once(self, writes: list[Write], durable: bool) -> None:
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for sql, values in writes:
                self._db.execute(sql, values)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    async def close(self) -> None:
        """Write what is still waiting, then close."""
        if self._flushing is not None:
            await self._flushing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()


class Table(Generic[T]):
    """The rows of one kind, decoded, by key. Reading is from memory; writing goes through to the database.

    >>> table = Table(state, "volume", encode=Volume.to_wire, decode=Volume.from_wire)
    """

    def __init__(self, state: State, kind: str, *, encode: Callable[[T], Any], decode: Callable[[Any], T]) -> None:
        self._state = state
        self._kind = kind
        self._encode = encode
        self._rows: dict[str, T] = {key: decode(doc) for key, doc in state.read(kind).items()}

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> T:
        return self._rows[key]

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> T | None:
        return self._rows.get(key)

    def items(self) -> list[tuple[str, T]]:
        return list(self._rows.items())

    async def put(self, key: str, row: T, *, durable: bool = True) -> None:
        """Insert or replace: seen in memory at once, in the database when this returns (when ``durable``)."""
        self._rows[key] = row
        doc = json.dumps(self._encode(row), separators=(",", ":"))
        sql = "INSERT INTO rows (kind, key, doc) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET doc = excluded.doc"
        await self._state.write(sql, (self._kind, key, doc), durable=durable)

    async def delete(self, key: str, *, durable: bool = True) -> None:
        """Missing is fine."""
        self._rows.pop(key, None)
        await self._state.write("DELETE FROM rows WHERE kind = ? AND key = ?", (self._kind, key), durable=durable)
