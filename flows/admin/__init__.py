"""Flows, their versions and their runs, as people see them."""

from __future__ import annotations

from flows.admin.flows import FlowAdmin
from flows.admin.runs import RunAdmin
from flows.admin.versions import FlowVersionAdmin

__all__ = ["FlowAdmin", "FlowVersionAdmin", "RunAdmin"]
