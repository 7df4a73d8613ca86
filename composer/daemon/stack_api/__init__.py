"""Composer's own API, `/composer/v1`: stacks, plans and what is done with them. The protocol: one JSON object a line.

Lines: ``need`` (paths that the client has to send, too), ``diagnostic``, ``progress``, ``log``, ``exit`` (a followed container has
ended), and ``result`` as the last one.
"""

from composer.daemon.stack_api.api import StackApi, holds
from composer.daemon.stack_api.routes import VERBS, routes
from composer.daemon.stack_api.stacks import Place, Stacks

__all__ = ["VERBS", "Place", "StackApi", "Stacks", "holds", "routes"]
