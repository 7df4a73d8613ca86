"""`python -m composer.daemon [--root DIR] [--run DIR] [--host unix:///PATH] ...`: the daemon in the foreground."""

from __future__ import annotations

import argparse
import os
import sys

from composer.daemon.main import main
from composer.daemon.options import options
from composer.errors import EXIT_USAGE, ComposerError

FLAGS = {
    "root": "state that survives a reboot (COMPOSER_ROOT, /var/lib/composer)",
    "run": "state that does not (COMPOSER_RUN, /run/composer)",
    "host": "where to listen (COMPOSER_HOST, unix://RUN/composer.sock)",
    "pool": "the IPv4 pool that networks are cut from (COMPOSER_POOL)",
    "pool6": "the IPv6 pool (COMPOSER_POOL6)",
    "cgroup": "the cgroup beneath which containers live (COMPOSER_CGROUP)",
    "log-level": "debug, info, warning or error (COMPOSER_LOG_LEVEL)",
    "log-format": "auto, console or json (COMPOSER_LOG_FORMAT)",
    "resync": "seconds between two looks at everything (COMPOSER_RESYNC, 60)",
}


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="composer.daemon", description=__doc__)
    for name, text in FLAGS.items():
        parser.add_argument(f"--{name}", default="", help=text)
    try:
        chosen = options(os.environ, **vars(parser.parse_args(arguments)))
    except ComposerError as error:
        print(f"composer: {error.message}", file=sys.stderr)
        return EXIT_USAGE
    return main(chosen)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
