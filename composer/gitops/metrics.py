"""Figures for Prometheus, by prometheus-client: what is followed and how it is (asked when scraped), and what happened (counted).

Source: prometheus.io "Metric and label naming".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from composer.gitops.model import Event

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


class Metrics:
    """``statuses``: all sources as `describe` shows them."""

    def __init__(self, statuses: Callable[[], list[dict[str, Any]]]) -> None:
        self._statuses = statuses
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        labels = ["source", "stack", "kind"]
        self._events = Counter("composer_gitops_events", "Events by kind.", labels, registry=self._registry)
        self._seconds = Histogram(
            "composer_gitops_sync_seconds", "From an accepted commit to healthy.", ["source"], buckets=_BUCKETS, registry=self._registry
        )
        self._hooks = Counter("composer_gitops_webhooks", "Webhooks by outcome.", ["source", "outcome"], registry=self._registry)

    def count(self, name: str, event: Event) -> None:
        self._events.labels(name, event.stack, event.kind).inc()
        if event.kind == "synced":
            self._seconds.labels(name).observe(event.seconds)

    def hook(self, name: str, outcome: str) -> None:
        """``outcome``: accepted, ignored, refused, too-many."""
        self._hooks.labels(name, outcome).inc()

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What holds now. Called by the registry."""
        up = GaugeMetricFamily("composer_gitops_source_ok", "1: the remote is followed; 0: it has a problem.", labels=["source", "problem"])
        checked = GaugeMetricFamily("composer_gitops_checked_timestamp_seconds", "When the remote was last looked at.", labels=["source"])
        suspended = GaugeMetricFamily("composer_gitops_suspended", "1: suspended.", labels=["source"])
        healthy = GaugeMetricFamily("composer_gitops_stack_healthy", "1: at its commit and healthy.", labels=["source", "stack", "phase"])
        bad = GaugeMetricFamily("composer_gitops_quarantined_commits", "Commits in quarantine.", labels=["source", "stack"])
        behind = GaugeMetricFamily("composer_gitops_stack_behind", "1: another commit than the head runs.", labels=["source", "stack"])
        for one in self._statuses():
            name = one["name"]
            up.add_metric([name, one["problem_kind"]], 0.0 if one["problem"] else 1.0)
            checked.add_metric([name], one["checked"])
            suspended.add_metric([name], 1.0 if one.get("suspended") else 0.0)
            for stack in one["stacks"]:
                healthy.add_metric([name, stack["stack"], stack["phase"]], 1.0 if stack["phase"] == "healthy" else 0.0)
                bad.add_metric([name, stack["stack"]], float(len(stack["quarantined"])))
                behind.add_metric([name, stack["stack"]], 1.0 if stack["behind"] else 0.0)
        yield from (up, checked, suspended, healthy, bad, behind)
