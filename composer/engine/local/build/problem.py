"""A build that cannot go on, told with the Dockerfile's line."""

from __future__ import annotations

from composer.engine.errors import InvalidArgument


class BuildProblem(InvalidArgument):
    """What is wrong, and where: ``line`` counts from 1 in the Dockerfile named ``file``."""

    code = "build.failed"

    def __init__(self, message: str, *, line: int = 0, source: str = "", file: str = "Dockerfile", hint: str | None = None) -> None:
        self.line = line
        self.source = source
        self.reason = message
        where = f"{file}:{line}: " if line else ""
        excerpt = f"\n  {line} | {source}" if line and source else ""
        super().__init__(f"{where}{message}{excerpt}", hint=hint)

    def located(self, line: int, source: str, file: str) -> BuildProblem:
        """The same problem with its place, when it was raised by code that does not know it."""
        return self if self.line else BuildProblem(self.reason, line=line, source=source, file=file, hint=self.hint)
