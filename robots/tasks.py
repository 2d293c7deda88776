"""Celery's part in the gateway: a doorbell and a poll. What is due stands in the tables, never in a task."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_init

from robots import (
    clearing,
    connecting,
    doorbell,
    equal,
    outbox,
    outbox_claim,
    pace,
    presence,
    reconcile,
    results,
    unknown_sends,
    withdrawal,
)
from robots.agenda import agenda
from robots.limiter import LimiterError, limiter
from robots.recovery import looking
from worktool_ai.lib.db import tx
from worktool_ai.lib.heartbeats import beat

__all__ = [
    "connect_pending",
    "drain_outbox",
    "learn_pace",
    "poll_outbox",
    "reconcile_commands",
    "recover",
    "ring_outbox",
]


@worker_init.connect(weak=False)
def _send_here(**_: Any) -> None:
    outbox.host()


def ring_outbox() -> None:
    """Have queued commands sent, by this process if it is a worker, else by some worker; never fails."""
    if not outbox.wake():
        doorbell.ring()


@shared_task(name="robots.drain_outbox", ignore_result=True)
def drain_outbox() -> None:
    outbox.drain()


@shared_task(name="robots.poll_outbox", ignore_result=True)
def poll_outbox() -> None:
    """Each second: say otherwise or close what may not leave as it is, join what missed each other, cancel, send."""
    due = agenda()
    with tx():
        if due.queued:
            equal.reword()
            outbox_claim.apologise()
            outbox_claim.close_overdue()
        if due.has_strays:
            results.adopt_strays()
        if due.has_withdrawals:
            withdrawal.follow()
        if due.has_clearings:
            clearing.follow()
    beat("outbox", detail=f"{due.queued} queued; {_usage()}", lag=due.queued)
    if due.queued or due.has_withdrawals or due.has_clearings:
        outbox.drain()


def _usage() -> str:
    try:
        return str(limiter().usage())
    except LimiterError as error:
        return f"the request limit cannot be read ({type(error).__name__})"


@shared_task(name="robots.reconcile", ignore_result=True)
def reconcile_commands() -> None:
    due = agenda()
    if due.is_open or due.is_accepted:
        reconcile.run()
        unknown_sends.close_undecided()
        presence.ask_paused()
        outbox.drain()


@shared_task(name="robots.learn_pace", ignore_result=True)
def learn_pace() -> None:
    pace.learn()


@shared_task(name="robots.connect_pending", ignore_result=True)
def connect_pending() -> None:
    connecting.connect_demo_robots()


@shared_task(name="robots.recover", ignore_result=True)
def recover() -> None:
    """Read the platform's callback log for outages that are due."""
    looking.run()
