"""The console script's entry. Nothing is imported at the top: what a run costs begins here.

A run is short, so the garbage collector only takes time (a tenth of `composer ps`); `engine serve` turns it on again. The end is
_exit: taking the interpreter down in order costs 5 ms, and nothing is left to do.
"""

from __future__ import annotations


def main() -> None:
    """Do what the command line says, and leave with its exit code."""
    import gc

    gc.disable()
    import os
    import sys

    try:
        from composer.cli.root import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while the commands were still being imported
        code = 130
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        code = code or 1
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
