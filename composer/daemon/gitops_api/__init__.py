"""`/composer/v1/gitops`: the daemon runs `composer.gitops`, and lends it the verbs on stacks."""

from composer.daemon.gitops_api.api import GitopsApi

__all__ = ["GitopsApi"]
