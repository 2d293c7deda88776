"""The preset models as a file: names of the product plan and today's, each with its date and source. No ORM here."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from worktool_ai.lib.yaml_data import read_yaml

__all__ = ["ModelPreset", "load_models"]

DATA_FILE = Path(__file__).resolve().parent / "data" / "models.yaml"

Text = Annotated[str, Field(min_length=1)]


class ModelPreset(BaseModel):
    """One model. ``plan``: the product plan names it; ``stopped``: its vendor does not serve it any more, since
    ``retired`` where that day is known; ``sees``: it understands pictures; ``config``: what differs from the
    provider's defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    slug: Text
    name: Text
    provider: Text
    model_id: Text
    as_of: datetime.date
    source: Text
    plan: bool = False
    sees: bool = False
    stopped: bool = False
    retired: datetime.date | None = None
    successor: str = ""
    config: dict[str, Any] = {}

    @property
    def full_name(self) -> str:
        return f"{self.name}（已停用）" if self.stopped else self.name

    @property
    def note(self) -> str:
        """What operators are told, in one line."""
        told = []
        if self.stopped:
            since = f"已于 {self.retired} 停止服务" if self.retired else "已停止服务"
            told.append(f"厂商{since}，建议改用 {self.successor}。")
        told.append(f"{self.as_of} 核对，依据：{self.source}。")
        return "".join(told)


def load_models() -> list[ModelPreset]:
    """Read the file; raises ``pydantic.ValidationError`` naming the place and what is wrong with it."""
    document = read_yaml(DATA_FILE)
    return TypeAdapter(list[ModelPreset]).validate_python(document)
