"""What the local stack takes hold of inside the AWS engine: private names of one version, looked for before any use."""

import inspect
from collections.abc import Mapping
from typing import Any

from scrapersky_local.processes import StackError

MINISTACK = "1.5.33"


def require(owner: Any, seams: Mapping[str, list[str]]) -> None:
    """Raise StackError unless `owner` has functions of these names with these parameters."""
    for name, parameters in seams.items():
        function = getattr(owner, name, None)
        if function is None or list(inspect.signature(function).parameters) != parameters:
            raise StackError(f"ministack {MINISTACK} has no {owner.__name__}.{name}({', '.join(parameters)})")
