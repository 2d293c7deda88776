"""Reading our own data files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

__all__ = ["read_yaml"]

#: libyaml's parser reads the rules in a tenth of the time; it is in the wheels, and may be missing elsewhere.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """Return a file's document: plain values only. Raises ``yaml.YAMLError`` and ``OSError``."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader, see above
