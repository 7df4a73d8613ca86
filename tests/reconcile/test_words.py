"""What is rendered, and the words in which plans, conditions and image policies are said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from composer.engine.errors import Unsupported
from composer.engine.model import Container, ContainerState, Health, Image, ImageMetadata, Mount, PortBinding, ProcessConfig
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.build import build_order
from composer.reconcile.condition import ConditionFailed, judge
from composer.reconcile.images import ImagePolicy, image_work
from composer.reconcile.model import COMPLETED, HEALTHY, READY, Live, Need, Ref
from composer.reconcile.operate import Going, plan_down, plan_restart, plan_stop
from composer.reconcile.render import Site, instantiate, render
from composer.spec.model import Build, Dependency, Grant, HealthCheck, Port, Secret, ServiceVolume, Stack, Volume
from tests.reconcile.stacks import SITE, service, stack

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rendered(spec: Stack, name: str = "web", **more: str) -> ProcessConfig:
    resource = render(spec, SITE)[Ref("service", name)]
    return instantiate(resource, 2, f"p-{name}-2", lender=lambda _: "f" * 64, anonymous={}, **more)


def test_labels_are_docker_composes_and_ours() -> None:
    spec = stack(service("db"), service("web", depends_on={"db": Dependency(condition=HEALTHY, restart=True)}, labels={"l": "v"}))
    found = rendered(spec).labels
    assert found["com.docker.compose.project"] == "p"
    assert found["com.docker.compose.service"] == "web"
    assert found["com.docker.compose.container-number"] == "2"
    assert found["com.docker.compose.oneoff"] == "False"
    assert found["com.docker.compose.project.config_files"] == "/d/stack.yml"
    assert found["com.docker.compose.project.working_dir"] == "/d"
    assert found["com.docker.compose.depends_on"] == "db:service_healthy:true"
    assert len(found["com.docker.compose.config-hash"]) == 64
    assert found["l"] == "v"
    assert labels.read_needs(found["com.docker.compose.depends_on"]) == (Need("db", HEALTHY, restart=True),)


def test_mounts_ports_and_secrets() -> None:
    spec = stack(
        service(
            "web",
            ports=[Port(target=80, published="8080", protocol="tcp", host_ip="127.0.0.1")],
            volumes=[
                ServiceVolume(type="volume", source="data", target="/data", read_only=True),
                ServiceVolume(type="volume", target="/anon"),
                ServiceVolume(type="bind", source="/here", target="/there"),
            ],
            secrets=[Grant(source="token", mode=0o400, uid="7")],
        ),
        volumes={"data": Volume(name="p_data")},
        secrets={"token": Secret(name="p_token", environment="T", data=b"hidden")},
    )
    resource = render(spec, SITE)[Ref("service", "web")]
    config = instantiate(resource, 1, "p-web-1", lender=lambda _: "", anonymous={"/anon": "old"})
    host = config.host_config
    assert host.binds == ("p_data:/data:ro", "/here:/there:rw")
    assert host.port_bindings == {"80/tcp": (PortBinding(host_ip="127.0.0.1", host_port="8080"),)}
    secret, anonymous = host.mounts
    assert secret.target == "/run/secrets/token"
    assert secret.read_only
    assert anonymous == Mount(type="volume", source="old", target="/anon")
    (file,) = resource.replicas.files
    assert (file.path, file.uid, file.mode) == (secret.source, 7, 0o400)
    assert "hidden" not in repr(file) + str(config)


def test_the_content_of_a_secret_is_in_the_hash_and_the_order_of_keys_is_not() -> None:
    def hash_of(content: bytes, environment: dict[str, str | None]) -> str:
        spec = stack(
            service("web", secrets=[Grant(source="t")], environment=environment),
            secrets={"t": Secret(name="t", environment="T", data=content)},
        )
        return render(spec, SITE)[Ref("service", "web")].hash

    assert hash_of(b"1", {"A": "1", "B": "2"}) == hash_of(b"1", {"B": "2", "A": "1"})
    assert hash_of(b"1", {}) != hash_of(b"2", {})


def test_a_shared_namespace_is_resolved_when_the_container_is_made() -> None:
    spec = stack(service("db"), service("web", network_mode="service:db", networks={}))
    resource = render(spec, SITE)[Ref("service", "web")]
    assert resource.needs == (Need("db", hard=True, shares=True),)
    config = rendered(spec)
    assert isinstance(config, ProcessConfig)
    assert config.labels[labels.JOINED] == "f" * 64


def test_what_cannot_be_done_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match=r'service "web": userns_mode'):
        render(stack(service("web", userns_mode="keep-id")), Site())


def container(status: str, *, code: int = 0, health: str = "") -> Container:
    state = ContainerState(status=status, exit_code=code, health=Health(status=health) if health else None)
    return Container(id="1", name="/p-db-1", state=state)


@pytest.mark.parametrize(
    ("found", "condition", "words"),
    [
        (container("running", health="unhealthy"), HEALTHY, "dependency failed to start: container p-db-1 is unhealthy"),
        (container("running"), HEALTHY, "dependency failed to start: container p-db-1 has no healthcheck configured"),
        (container("exited", code=2, health="starting"), HEALTHY, "dependency failed to start: container p-db-1 exited (2)"),
        (container("exited", code=3), COMPLETED, 'service "db" didn\'t complete successfully: exit 3'),
        (container("exited", code=1), READY, "container p-db-1 exited (1)"),
    ],
)
def test_a_condition_that_cannot_be_met_is_said_in_docker_composes_words(found: Container, condition: str, words: str) -> None:
    with pytest.raises(ConditionFailed) as caught:
        judge(found, condition, "db")
    assert caught.value.message == words


def test_conditions_that_are_met_or_not_yet() -> None:
    assert judge(container("running", health="healthy"), HEALTHY, "db") == "Healthy"
    assert judge(container("running", health="starting"), HEALTHY, "db") == ""
    assert judge(container("running"), COMPLETED, "db") == ""
    assert judge(container("exited"), COMPLETED, "db") == "Exited"
    assert judge(container("running"), READY, "db") == "Healthy"


def live(name: str, *needs: str, state: str = "running", **fields: object) -> Live:
    wanted = tuple(Need(need, restart=True) for need in needs)
    return Live(Ref("container", f"p-{name}-1"), f"id-{name}", project="p", service=name, number=1, state=state, needs=wanted, **fields)  # type: ignore[arg-type]


def test_down_stops_who_depends_first_and_leaves_what_is_not_ours() -> None:
    lives = [live("db"), live("web", "db"), live("orphan")]
    network = Live(Ref("network", "p_default"), "n", project="p")
    foreign = Live(Ref("network", "other"), "m", project="q")
    have = {one.ref: one for one in (*lives, network, foreign)}
    known = frozenset({"db", "web"})
    found = plan_down("p", have, Going(known=known, enabled=known))
    assert [action.key for action in found.actions] == [
        "stop container p-web-1",
        "stop container p-db-1",
        "remove container p-web-1",
        "remove container p-db-1",
        "remove network p_default",
    ]


def test_stop_and_restart_follow_the_needs() -> None:
    lives = [live("db"), live("web", "db"), live("done", state="exited")]
    assert [action.ref.name for action in plan_stop(lives, None).actions] == ["p-web-1", "p-db-1"]
    have = {one.ref: one for one in lives}
    assert [str(action) for action in plan_restart("p", have, {"db"}, None, no_deps=False).actions] == [
        "restart container p-db-1: restart was asked for",
        "restart container p-web-1: it depends with restart: true on what is restarted",
    ]
    assert len(plan_restart("p", have, {"db"}, None, no_deps=True).actions) == 1


@pytest.mark.parametrize(
    ("policy", "here", "age", "flag", "verb"),
    [
        ("", False, 0, ImagePolicy(), "pull"),
        ("", True, 0, ImagePolicy(), ""),
        ("always", True, 0, ImagePolicy(), "pull"),
        ("never", False, 0, ImagePolicy(), ""),
        ("", True, 0, ImagePolicy(pull="always"), "pull"),
        ("always", True, 0, ImagePolicy(pull="never"), ""),
        ("daily", True, 2, ImagePolicy(), "pull"),
        ("weekly", True, 2, ImagePolicy(), ""),
        ("every_36h", True, 2, ImagePolicy(), "pull"),
    ],
)
def test_pull_policies(policy: str, here: bool, age: int, flag: ImagePolicy, verb: str) -> None:
    spec = stack(service("web", image="nginx", pull_policy=policy))
    tagged = (NOW - timedelta(days=age)).isoformat()
    image = Image(id="i", metadata=ImageMetadata(last_tag_time=tagged)) if here else None
    work = image_work(spec, ["web"], {"nginx": image}, flag, NOW)
    assert [item.verb for item in work] == ([verb] if verb else [])


def test_a_pull_policy_that_is_not_known_is_refused() -> None:
    spec = stack(service("web", image="nginx", pull_policy="sometimes"))
    with pytest.raises(ComposerError, match="unknown pull_policy 'sometimes'"):
        image_work(spec, ["web"], {"nginx": Image(id="i")}, ImagePolicy(), NOW)


def test_builds_come_behind_those_whose_image_they_start_from() -> None:
    spec = stack(
        service("base", image="", build=Build(context="/b")),
        service("app", image="", build=Build(context="/a", additional_contexts={"base": "service:base"})),
        service("other", image="", build=Build(context="/o"), healthcheck=HealthCheck()),
    )
    assert build_order(spec, ["app", "base", "other"]) == [["base", "other"], ["app"]]
