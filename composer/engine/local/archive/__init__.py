"""Tar archives both ways, safe with hostile ones: `extract` into a root by directory fds, `pack` out of one. Blocking: use threads."""

from composer.engine.local.archive.bridge import drain, feed, finish
from composer.engine.local.archive.compression import Compression, detect, gzip_writer, plain
from composer.engine.local.archive.entry import Entry, Kind
from composer.engine.local.archive.extract import ExtractOptions, ExtractReport, extract
from composer.engine.local.archive.pack import pack
from composer.engine.local.archive.read import TarReader
from composer.engine.local.archive.write import TarWriter

__all__ = [
    "Compression",
    "Entry",
    "ExtractOptions",
    "ExtractReport",
    "Kind",
    "TarReader",
    "TarWriter",
    "detect",
    "drain",
    "extract",
    "feed",
    "finish",
    "gzip_writer",
    "pack",
    "plain",
]
