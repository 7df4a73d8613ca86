"""Running containers: OCI bundles by conmon and crun or runc, their cgroups, streams, logs and exit statuses.

`Runtime` is the door; `oci` renders config.json (pure); `users` resolves users beneath a root; `logs` reads and rotates conmon's logs.
Source: the OCI runtime specification 1.0.2; conmon(8).
"""

from composer.engine.local.runtime.bundle import Bundle, Exit, Handle
from composer.engine.local.runtime.exec import ExecHandle
from composer.engine.local.runtime.runtime import Runtime

__all__ = ["Bundle", "ExecHandle", "Exit", "Handle", "Runtime"]
