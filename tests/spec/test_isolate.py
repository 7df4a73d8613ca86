"""A stack beside others of the same files: nothing that the file fixes is left to clash."""

from __future__ import annotations

from composer.spec.isolate import isolate, published
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.read import Content, Request

TEXT = b"""
services:
  web:
    build: .
    image: shared/web
    container_name: theweb
    ports: ["127.0.0.1:8080:80", "9000-9010:90", "77"]
    networks: {front: {ipv4_address: 10.1.0.5, aliases: [www]}}
    volumes: ["data:/data", "old:/old"]
  job: {image: shared/web, network_mode: host}
  many: {image: x, ports: ["7000:70"], scale: 2}
volumes: {data: {name: fixed}, old: {external: true}}
networks: {front: {name: fixed_net, ipam: {config: [{subnet: 10.1.0.0/24}]}}}
"""


def stack() -> Stack:
    request = Request(
        files=("/p/stack.yml",), name="shop-x", cwd="/p", contents={"/p/stack.yml": Content(TEXT), "/p/.env": Content(missing=True)}
    )
    found = load(request)
    assert isinstance(found, Stack)
    return found


def test_what_is_fixed_becomes_its_own() -> None:
    keys = published(stack())
    assert keys == {"web 127.0.0.1:8080:80/tcp": ("127.0.0.1", "tcp"), "web 9000-9010:90/tcp": ("", "tcp")}
    found = isolate(stack(), {"web 127.0.0.1:8080:80/tcp": 40001})
    web = found.services["web"]
    assert [port.published for port in web.ports] == ["40001", "", ""]
    assert web.ports[0].host_ip == "127.0.0.1"
    assert (web.container_name, web.image) == ("", "")
    assert found.services["job"].image == "shop-x-web"
    assert found.services["many"].ports[0].published == ""
    assert (web.networks["front"].ipv4_address, web.networks["front"].aliases) == ("", ["www", "theweb"])
    assert (found.volumes["data"].name, found.volumes["old"].name) == ("shop-x_data", "old")
    assert found.networks["front"].name == "shop-x_front"
    assert found.networks["front"].ipam.config == []
    assert [one.code for one in found.warnings if "isolated" in one.code] == ["spec.isolated-host"]
