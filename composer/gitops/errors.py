"""What can go wrong while a stack follows git, in words for its operator."""

from __future__ import annotations

from composer.engine.errors import Conflict, InvalidArgument, NotFound, Unavailable
from composer.errors import ComposerError


class GitMissing(Unavailable):
    """The git program is not installed."""

    code = "gitops.no-git"


class RemoteLost(ComposerError):
    """The remote cannot be reached, refuses us, or answers nonsense; what runs stays."""

    code = "gitops.remote"


class RefGone(ComposerError):
    """The remote has no such branch or tag (any more)."""

    code = "gitops.ref"


class TooBig(ComposerError):
    """The repository, its tree or one of its files exceeds a bound."""

    code = "gitops.too-big"


class Refused(ComposerError):
    """A commit is not brought up: unsigned, empty, vanished, invalid."""

    code = "gitops.refused"


class Undecryptable(Refused):
    """A SOPS or age file cannot be decrypted, or was altered."""

    code = "gitops.secret"


__all__ = ["Conflict", "GitMissing", "InvalidArgument", "NotFound", "RefGone", "Refused", "RemoteLost", "TooBig", "Undecryptable"]
