"""``composer network create``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.each import key_values


@click.command()
@click.option("--attachable", is_flag=True, help="Containers may be attached by hand.")
@click.option("--aux-address", "auxiliary", multiple=True, metavar="NAME=IP", help="Addresses that are used otherwise.")
@click.option("-d", "--driver", default="bridge", metavar="NAME", help="The driver (bridge).")
@click.option("--gateway", "gateways", multiple=True, metavar="IP", help="The subnet's gateway.")
@click.option("--internal", is_flag=True, help="No access from and to the outside.")
@click.option("--ip-range", "ranges", multiple=True, metavar="CIDR", help="Give addresses out of this range.")
@click.option("--ipam-driver", default="default", metavar="NAME", help="The IPAM driver.")
@click.option("--ipv4/--no-ipv4", default=True, help="IPv4 addresses.")
@click.option("--ipv6/--no-ipv6", default=False, help="IPv6 addresses.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Set a label.")
@click.option("-o", "--opt", "options", multiple=True, metavar="KEY=VALUE", help="A driver's option.")
@click.option("--subnet", "subnets", multiple=True, metavar="CIDR", help="The subnet.")
@click.argument("name")
def create(
    name: str,
    attachable: bool,
    auxiliary: tuple[str, ...],
    driver: str,
    gateways: tuple[str, ...],
    internal: bool,
    ranges: tuple[str, ...],
    ipam_driver: str,
    ipv4: bool,
    ipv6: bool,
    labels: tuple[str, ...],
    options: tuple[str, ...],
    subnets: tuple[str, ...],
) -> None:
    """Create a network."""
    body = {
        "Name": name,
        "Driver": driver,
        "Internal": internal,
        "Attachable": attachable,
        "EnableIPv4": ipv4,
        "EnableIPv6": ipv6,
        "IPAM": {"Driver": ipam_driver, "Config": pools(subnets, gateways, ranges, key_values(auxiliary))},
        "Options": key_values(options),
        "Labels": key_values(labels),
    }
    answer = app().client.post("/networks/create", body)
    if answer.get("Warning"):
        app().warn(f"WARNING: {answer['Warning']}")
    sys.stdout.write(answer["Id"] + "\n")


def pools(
    subnets: tuple[str, ...], gateways: tuple[str, ...], ranges: tuple[str, ...], auxiliary: dict[str, str]
) -> list[dict[str, object]]:
    """Each gateway, range and auxiliary address with the subnet that it lies in. Raises UsageError."""
    from ipaddress import ip_address, ip_network

    try:
        nets = [ip_network(text, strict=False) for text in subnets]
        made: list[dict[str, object]] = [{"Subnet": text} for text in subnets]
        items = [("Gateway", text, text) for text in gateways] + [("IPRange", text, text.partition("/")[0]) for text in ranges]
        items += [(f"aux:{key}", text, text) for key, text in auxiliary.items()]
        for field, text, address in items:
            at = next((i for i, net in enumerate(nets) if ip_address(address) in net), None)
            if at is None:
                raise click.UsageError(f"no matching subnet for {field.replace('aux:', 'aux-address ').lower()} {text}")
            if field.startswith("aux:"):
                others = made[at].setdefault("AuxiliaryAddresses", {})
                assert isinstance(others, dict)
                others[field[4:]] = text
            else:
                made[at][field] = text
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return made
