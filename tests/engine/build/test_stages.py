"""Stages, their bases and the variables that a stage knows; the configuration that instructions make."""

from __future__ import annotations

import json

import pytest

from composer.engine.local.build.copying import read_copy
from composer.engine.local.build.dockerfile import parse
from composer.engine.local.build.draft import Draft
from composer.engine.local.build.environment import Environment
from composer.engine.local.build.metadata import METADATA, duration
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.runmount import read_mounts
from composer.engine.local.build.stages import plan_stages, sources_of


def configured(text: str, values: dict[str, str] | None = None) -> Draft:
    draft = Draft.scratch("amd64")
    for item in parse("FROM scratch\n" + text).instructions[1:]:
        METADATA[item.keyword](draft, item, {**(values or {}), **draft.environment()}, "\\")
    return draft


def test_stages_find_their_parents_and_sources() -> None:
    recipe = plan_stages(
        parse("ARG B=bb\nFROM $B AS one\nFROM one AS two\nCOPY --from=one /a /b\nRUN --mount=from=0,target=/x true\nFROM other\n"), {}, {}
    )
    assert [(s.base, s.parent, s.name) for s in recipe.stages] == [("bb", None, "one"), ("one", 0, "two"), ("other", None, "")]
    assert [sources_of(i) for i in recipe.stages[1].instructions] == [["one"], ["0"]]
    assert recipe.target("TWO").index == 1
    assert recipe.target("").index == 2


def test_build_argument_overrides_global_default() -> None:
    assert plan_stages(parse("ARG B=bb\nFROM $B\n"), {"B": "cc"}, {}).stages[0].base == "cc"


@pytest.mark.parametrize("text", ["RUN x\n", "ARG A\n", "FROM $NONE\n", "FROM a b\n", "FROM a AS 9x\n", "ARG 1=2\nFROM x\n"])
def test_wrong_stages_are_problems(text: str) -> None:
    with pytest.raises(BuildProblem):
        plan_stages(parse(text), {}, {})


def test_missing_target_names_the_stages() -> None:
    with pytest.raises(BuildProblem, match="nope") as caught:
        plan_stages(parse("FROM a AS one\n"), {}, {}).target("nope")
    assert caught.value.hint == "stages: one"


def test_environment_scopes() -> None:
    env = Environment({"ONE": "given", "HTTP_PROXY": "p"}, {"BASE": "bb"}, {"KEPT": "env"})
    env.declare("ONE", "default")
    env.declare("TWO", "default")
    env.declare("THREE", None)
    env.declare("BASE", None)
    env.declare("KEPT", "arg")
    assert env.values == {"ONE": "given", "TWO": "default", "BASE": "bb", "KEPT": "env"}
    assert "HTTP_PROXY=p" in env.for_run()
    assert "HTTP_PROXY=p" not in env.for_key()


def test_configuration() -> None:
    draft = configured(
        'ENV A=1 B="two words" C=$A\nENV OLD the rest\nLABEL x=y\nEXPOSE 80 53/udp 90-91\nVOLUME ["/d"]\nUSER app\nWORKDIR /a\nWORKDIR b\n'
        'CMD run it\nENTRYPOINT ["e"]\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=5s --retries=2 CMD test -e /x\n'
        'ONBUILD RUN x\nSHELL ["/bin/ash","-c"]\n'
    )
    assert draft.config["Env"][1:] == ["A=1", "B=two words", "C=", "OLD=the rest"]
    assert draft.config["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {}}
    assert draft.config["WorkingDir"] == "/a/b"
    assert draft.config["Cmd"] == ["/bin/sh", "-c", "run it"]
    assert draft.config["Entrypoint"] == ["e"]
    assert draft.config["Healthcheck"] == {"Test": ["CMD-SHELL", "test -e /x"], "Interval": 5_000_000_000, "Retries": 2}
    assert draft.config["OnBuild"] == ["RUN x"]
    assert draft.shell == ["/bin/ash", "-c"]


def test_entrypoint_resets_only_an_inherited_cmd() -> None:
    draft = Draft.based_on({"architecture": "amd64", "config": {"Cmd": ["inherited"]}}, [])
    METADATA["ENTRYPOINT"](draft, parse("FROM x\nENTRYPOINT e\n").instructions[1], {}, "\\")
    assert "Cmd" not in draft.config


@pytest.mark.parametrize(
    "line", ["EXPOSE x", "EXPOSE 70000", "ENV A", "LABEL a=b c", 'VOLUME [""]', "SHELL sh", "ONBUILD FROM x", "HEALTHCHECK x"]
)
def test_wrong_metadata_is_a_problem(line: str) -> None:
    with pytest.raises(BuildProblem):
        configured(line + "\n")


def test_durations() -> None:
    assert duration("1m30s") == 90_000_000_000
    with pytest.raises(BuildProblem):
        duration("soon")


def test_copy_words() -> None:
    item = parse("FROM x\nCOPY --chown=app:app --chmod=0600 a b* dir/\n").instructions[1]
    copy = read_copy(item, "/w", {}, "\\")
    assert (copy.sources, copy.destination, copy.chown, copy.mode) == (("a", "b*"), "/w/dir/", "app:app", 0o600)


def test_heredoc_content_expands_unless_quoted() -> None:
    plain, quoted = parse("FROM x\nCOPY <<A /f\n\"$V\" it's\nA\nCOPY <<'A' /f\n$V\nA\n").instructions[1:]
    assert read_copy(plain, "/", {"V": "1"}, "\\").heredocs == (("A", b'"1" it\'s\n'),)
    assert read_copy(quoted, "/", {"V": "1"}, "\\").heredocs == (("A", b"$V\n"),)


def test_run_mounts() -> None:
    item = parse(
        "FROM x\nRUN --mount=type=bind,source=f,target=/f --mount=type=cache,target=/c --mount=type=tmpfs,target=/t,size=1m "
        "--mount=type=secret,id=s,env=S true\n"
    ).instructions[1]
    bind, cache, tmpfs, secret = read_mounts(item, {}, "\\")
    assert (bind.source, bind.target, bind.writable) == ("f", "/f", False)
    assert (cache.id, cache.writable) == ("/c", True)
    assert tmpfs.size == 1 << 20
    assert (secret.id, secret.env) == ("s", "S")


@pytest.mark.parametrize(
    "mount",
    ["type=ssh", "type=what,target=/x", "type=bind,source=x", "type=bind,target=/x,wat=1", "type=secret", "type=tmpfs,target=/t,size=big"],
)
def test_wrong_run_mounts_are_problems(mount: str) -> None:
    item = parse(f"FROM x\nRUN --mount={mount} true\n").instructions[1]
    with pytest.raises(BuildProblem):
        read_mounts(item, {}, "\\")


def test_encoding_is_deterministic() -> None:
    draft = configured("ENV A=1\n")
    draft.record("2026-01-01T00:00:00Z", "RUN x", diff_id="sha256:aa", chain_id="sha256:aa")
    image = json.loads(draft.encode("2026-01-01T00:00:00Z", {"l": "1"}))
    assert image["rootfs"]["diff_ids"] == ["sha256:aa"]
    assert image["config"]["Labels"] == {"l": "1"}
    assert draft.encode("t", {}) == draft.encode("t", {})
