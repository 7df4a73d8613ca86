"""A fuzzer for `load`: mutated stack files must end in a Stack, a Need or a SpecError, soon, and never in any other exception.

    python -m tests.spec.fuzz --count 1000000 [--seed 1] [--corpus DIR]       mutations of small files, with the figures at the end
    python -m tests.spec.fuzz --atheris -- -runs=100000 [libFuzzer's flags]   guided by coverage, where atheris is installed

A file that breaks the rule is written to `fuzz-<number>.yml` in the working directory, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from composer.errors import SpecError
from composer.spec.emit import to_yaml
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.normal import to_normal
from composer.spec.read import DIRECTORY, MISSING, Content, Need, Request

ROOT = "/w/shop"
SLOWEST = 5.0  # seconds of CPU that one small file may take
BESIDE = {
    "a.env": Content(b"A=1\nB='x'\nC=${A:-${B}}\n"),
    "b.yml": Content(b"services: {b: {image: b, ports: ['1:1']}}\nvolumes: {v: }\n"),
    "i.yml": Content(b"services: {i: {image: i, extends: {file: b.yml, service: b}}}\n"),
    "c.yml": Content(b"include: [i.yml]\nservices: {c: {image: 'c:${V:-1}', build: .}}\n"),
    ".env": MISSING,
    "d": DIRECTORY,
}
SEEDS = [
    "services: {a: {image: 'x:${T:-1}', build: {context: ., args: [A=1, B], secrets: [s], ssh: [default]}}}\nsecrets: {s: {file: ./s}}\n",
    "x-b: &b {restart: always, labels: {a: 1}}\nservices:\n  a:\n    <<: *b\n    image: x\n    command: run 'two words'\n    tty: true\n",
    "services:\n  a:\n    image: x\n"
    "    ports: ['80:80', 127.0.0.1:5000-5002:5000-5002/udp, {target: 443, published: '8443'}]\n    expose: [1]\n",
    "services:\n  a:\n    image: x\n"
    "    volumes: ['v:/d', ./s:/s:ro, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]\n    tmpfs: /u\nvolumes: {v: }\n",
    "services:\n  a:\n    image: x\n    environment: {A: 1, B: , C: '${X:?no}'}\n    env_file: [a.env, {path: q.env, required: false}]\n",
    "services:\n  a: {image: x, depends_on: {b: {condition: service_healthy}}, profiles: [p]}\n"
    "  b: {image: y, healthcheck: {test: [CMD, x], interval: 1m30s}}\n",
    "services:\n  a:\n    image: x\n"
    "    deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 1g}}, update_config: {delay: 5s}}\n",
    "services:\n  a:\n    image: x\n    ulimits: {nofile: 5, nproc: {soft: 1, hard: 2}}\n    mem_limit: 1.5g\n"
    "    shm_size: 64m\n    init: yes\n",
    "services:\n  a: {image: x, networks: {n: {aliases: [w], ipv4_address: 10.0.0.5}}}\n"
    "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}\n",
    "services:\n  a: {extends: {service: b}, labels: !override {q: 1}}\n  b: {image: y, labels: [a=b], ports: !reset [], command: [a]}\n",
    "include: [i.yml, {path: c.yml, env_file: a.env, project_directory: d}]\nname: shop\n"
    "services: {a: {image: x, extra_hosts: [h:1.1.1.1]}}\n",
    "services: {a: {image: x, configs: [c, {source: c, target: /c, mode: 0440}]}}\nconfigs: {c: {content: 'a ${V} $$b'}}\n",
    "services: {a: {image: x, develop: {watch: [{path: ., action: sync, target: /t, ignore: [x]}]}, post_start: [{command: a b}]}}\n",
    "services: {a: {image: x, gpus: all, models: [m], provider: {type: t, options: {a: b}}, blkio_config:"
    " {weight: 5}}}\nmodels: {m: {model: q}}\n",
    "version: '3'\n"
    "services: {a: {image: x, logging: {driver: d, options: {a: 1}}, devices: ['/dev/a:/dev/b:r'], cap_add: [A], dns: 1.1.1.1}}\n",
]
PIECES = [
    *"{}[]:-,#&*!|>'\"%@`?~$=<\t\n \\",
    *(
        "- ",
        "\n  ",
        "null",
        "5",
        "-1",
        "1.5",
        "1e999",
        "0x1f",
        "true",
        "&a ",
        "*a",
        "*b",
        "<<: *b",
        "<<: ",
        "${",
        "${A:-",
        "${A:?",
        "$$",
        "}}",
    ),
    *(
        "!reset ",
        "!override ",
        "!!str ",
        "!!int ",
        "!!binary ",
        "x-",
        "é",
        "\u2028",
        "\ufeff",
        "\x00",
        "\x85",
        "2024-01-01",
        "99999999999999999999",
    ),
    *(
        "services:",
        "image: x",
        "extends: a",
        "include: [stack.yml]",
        "---\n",
        "...\n",
        "? ",
        "|\n",
        ">-\n",
        "1m",
        "10s",
        "a=b",
        "a:b",
        "/",
        "..",
        "~",
    ),
]

WORDS = [
    *(
        "null",
        "''",
        "5",
        "-1",
        "0",
        "1.5",
        "1e999",
        "true",
        "yes",
        "[]",
        "{}",
        "[a]",
        "{a: b}",
        "[[]]",
        "{a: {b: c}}",
        "'${A}'",
        "'${U:-5}'",
        "'${U:?x}'",
    ),
    *(
        "10s",
        "64m",
        "a:b",
        "a=b",
        "'80:80'",
        "'1-5:2-6'",
        "./p",
        "~/p",
        "/p",
        "2024-01-01",
        "!reset null",
        "!override [a]",
        "[a, a]",
        "[null]",
        "x-a",
    ),
    *(
        "image",
        "ports",
        "volumes",
        "environment",
        "deploy",
        "build",
        "networks",
        "extends",
        "depends_on",
        "labels",
        "command",
        "healthcheck",
        "services",
    ),
    *(
        "ulimits",
        "secrets",
        "configs",
        "name",
        "target",
        "source",
        "type",
        "condition",
        "include",
        "path",
        "99999999999999999999",
        "0x1f",
        "'\\0'",
        "é",
    ),
]


def outcome(data: bytes) -> str:
    """What a load of `data` comes to; raises only what it must not raise."""
    contents = {f"{ROOT}/{name}": content for name, content in BESIDE.items()} | {f"{ROOT}/stack.yml": Content(data)}
    asked = Request(files=(f"{ROOT}/stack.yml",), cwd=ROOT, environment={"HOME": "/h", "X": "1", "A": "av"}, contents=contents)
    for _ in range(20):
        try:
            found = load(asked)
        except SpecError as error:
            if not error.diagnostics or not str(error):
                raise AssertionError("a refusal without a word") from error
            return "refused"
        if isinstance(found, Need):
            asked = asked.with_contents(dict.fromkeys(found.paths, MISSING))
            continue
        assert isinstance(found, Stack)
        to_yaml(to_normal(found, "yaml"))
        to_normal(found)
        return "loaded"
    raise AssertionError("files are asked for without end")


def mutated(rng: random.Random, seeds: list[str]) -> str:
    """One of the seeds, changed in one to four places."""
    text = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        at = rng.randint(0, len(text))
        way = rng.random()
        words = list(re.finditer(r"[\w./]+", text))
        if way < 0.45 and words:
            word = rng.choice(words)  # what stands where something stood is read further than broken YAML
            text = text[: word.start()] + rng.choice((rng.choice(WORDS), rng.choice(words)[0])) + text[word.end() :]
        elif way < 0.6:
            text = text[:at] + rng.choice(PIECES) + text[at + rng.choice((0, 0, 1, 3)) :]
        elif way < 0.7:
            text = text[:at] + text[at + rng.randint(1, 12) :]
        elif way < 0.8:
            end = min(len(text), at + rng.randint(1, 30))
            text = text[:end] + text[at:end] + text[end:]
        elif way < 0.9:
            lines = text.split("\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
        else:
            other = rng.choice(seeds)
            start = rng.randint(0, len(other))
            text = text[:at] + other[start : start + rng.randint(1, 60)] + text[at:]
    return text


def run(count: int, seed: int, seeds: list[str], *, report: int = 50_000) -> int:
    """Loads `count` mutations; the number of those that broke the rule."""
    rng, kinds, slowest, begun = random.Random(seed), Counter[str](), 0.0, time.monotonic()
    for number in range(1, count + 1):
        data = mutated(rng, seeds).encode("utf-8", "surrogatepass")
        started = time.process_time()
        try:
            kind = outcome(data)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            kind = "BROKEN"
            Path(f"fuzz-{number}.yml").write_bytes(data)
            print(f"fuzz-{number}.yml: {type(error).__name__}: {error}", flush=True)
        took = time.process_time() - started
        slowest = max(slowest, took)
        if took > SLOWEST:
            kind = "BROKEN"
            Path(f"fuzz-{number}.yml").write_bytes(data)
            print(f"fuzz-{number}.yml: {took:.1f} s", flush=True)
        kinds[kind] += 1
        if number % report == 0 or number == count:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            passed = time.monotonic() - begun
            print(f"{number} files, {passed:.0f} s, peak {peak} MB, slowest {slowest * 1000:.0f} ms, {dict(kinds)}", flush=True)
    return kinds["BROKEN"]


def _guided(flags: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["composer.spec"]):
        pass
    for name in [name for name in sys.modules if name.startswith("composer.spec")]:
        module = sys.modules[name]
        for key, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__module__", "") == name and hasattr(value, "__code__"):
                setattr(module, key, atheris.instrument_func(value))
    atheris.Setup([sys.argv[0], *flags], lambda data: outcome(data) and None)
    atheris.Fuzz()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="more seeds: the *.yml and *.yaml files beneath it, up to 1,500 bytes each")
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("flags", nargs="*")
    given = parser.parse_args()
    if given.atheris:
        _guided(given.flags)
        return 0
    found = sorted(given.corpus.rglob("*.y*ml")) if given.corpus else []
    more = [path.read_text("utf-8", "replace") for path in found if path.is_file() and path.stat().st_size <= 1500]
    return 1 if run(given.count, given.seed, SEEDS + more) else 0


if __name__ == "__main__":
    sys.exit(main())
