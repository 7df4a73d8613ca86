"""nftables transactions: libnftables(3) called in the process (0.2 ms), else the program nft(8) (8-16 ms).

`run` takes the text of one transaction: all of it is applied, or nothing. For the one kernel thread.
"""

from __future__ import annotations

import ctypes
import subprocess

from composer.engine.errors import EngineError, Unavailable


class Nft:
    """A way to nftables in the namespace in which it was opened."""

    def __init__(self) -> None:
        self._library = _library()
        self._context = self._library.nft_ctx_new(0) if self._library else None
        if self._library and self._context:
            self._library.nft_ctx_buffer_output(self._context)
            self._library.nft_ctx_buffer_error(self._context)

    def run(self, text: str) -> str:
        """What the transaction prints. Raises EngineError with nft's words, Unavailable when there is no nftables at all."""
        if self._library is None or not self._context:
            return _by_program(text)
        code = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        words: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if code != 0:
            raise EngineError(f"nftables refused the rules: {words.decode(errors='replace').strip()}")
        return output.decode(errors="replace")

    def close(self) -> None:
        if self._library and self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError:
        return None
    pointer, string = ctypes.c_void_p, ctypes.c_char_p
    library.nft_ctx_new.restype, library.nft_ctx_new.argtypes = pointer, [ctypes.c_uint32]
    library.nft_ctx_free.restype, library.nft_ctx_free.argtypes = None, [pointer]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [pointer]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        function = getattr(library, name)
        function.restype, function.argtypes = string, [pointer]
    library.nft_run_cmd_from_buffer.argtypes = [pointer, string]
    return library


def _by_program(text: str) -> str:
    try:
        done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError as error:
        raise Unavailable("nftables is missing", hint="apt install nftables") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError("nft gave no answer in 30 seconds") from error
    if done.returncode != 0:
        raise EngineError(f"nftables refused the rules: {done.stderr.strip()}")
    return done.stdout
