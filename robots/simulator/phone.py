"""A phone: strictly one command at a time, at its pace, with the client's duplicate filter (worktool-api.md
§4.5).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from robots.simulator.callbacks import Callbacks
from robots.simulator.commands import (
    CLEAR_ONE,
    CLEAR_QUEUE,
    CREATE_GROUP,
    DOWNLOAD_FAILED,
    EDIT_GROUP,
    PUSH_FILE,
    TARGET_NOT_FOUND,
    Outcome,
    execute,
)
from robots.simulator.downloads import Downloads
from robots.simulator.fault_kinds import Plan, Stage
from robots.simulator.records import Entry, Execution, Json, Run, text_of
from robots.simulator.world import Robot, World

OFFLINE_POLL_S: Final = 0.1


@dataclass
class Job:
    """One command on its way to the phone. ``done`` is set once its result was posted, or will never come."""

    entry: Entry
    index: int
    command: Json
    began: float = field(default_factory=time.monotonic)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rooms(self) -> list[str]:
        return list(self.command.get("titleList") or [])


class Phone:
    """The queue and the execution of one robot."""

    def __init__(self, world: World, callbacks: Callbacks, downloads: Downloads, robot: Robot) -> None:
        self._world = world
        self._callbacks = callbacks
        self._downloads = downloads
        self._robot = robot
        self._queue: deque[Job] = deque()
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def accept(self, entry: Entry, commands: Iterable[Json]) -> list[Job]:
        """Queue the commands of one accepted request; equal ones collapse, here and against what still
        waits.
        """
        jobs: list[Job] = []
        for index, command in enumerate(commands):
            if any(job.command == command for job in jobs):
                continue
            job = Job(entry, index, command)
            jobs.append(job)
            self._take(job)
        if self._queue and (self._running is None or self._running.done()):
            self._running = self._world.spawn(self._work())
        return jobs

    def _take(self, job: Job) -> None:
        if job.command["type"] in (CLEAR_QUEUE, CLEAR_ONE):
            outcome = self._clear(job.command)
            self._note(job, outcome)
            self._world.spawn(self._finish(job, outcome))
            return
        self._drop([waiting for waiting in self._queue if waiting.command == job.command])
        self._queue.append(job)

    def _clear(self, command: Json) -> Outcome:
        """Drop queued commands at once; the phone need not have reached them."""
        wanted = str(command.get("originalContent", ""))
        every = command["type"] == CLEAR_QUEUE
        dropped = [job for job in self._queue if every or job.entry.message_id == wanted]
        self._drop(dropped)
        return Outcome(0 if every or dropped else TARGET_NOT_FOUND)

    def _drop(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._queue.remove(job)
            job.done.set()

    async def _work(self) -> None:
        while self._queue:
            if self._world.faults.is_offline(self._robot.id):
                await asyncio.sleep(OFFLINE_POLL_S)
                continue
            await self._run(self._queue.popleft())

    async def _run(self, job: Job) -> None:
        text = text_of(job.command)
        plan = self._world.faults.plan(Stage.PHONE, robot_id=self._robot.id, rooms=job.rooms, text=text)
        began = time.monotonic()
        for _ in range(plan.copies):
            await asyncio.sleep(self._world.settings.pace_s + plan.delay_s)
            outcome = await self._execute(job, plan)
            self._note(job, outcome)
        job.began = began
        self._world.spawn(self._finish(job, outcome))

    async def _execute(self, job: Job, plan: Plan) -> Outcome:
        """A file is fetched first; without it nothing is said in any chat."""
        if job.command["type"] == PUSH_FILE and not await self._downloads.fetch(job.command):
            return Outcome(DOWNLOAD_FAILED, failed=job.rooms)
        return execute(self._world, self._robot, job.command, plan)

    def _note(self, job: Job, outcome: Outcome) -> None:
        lists = (list(outcome.succeeded), list(outcome.failed))
        job.entry.executions.append(Execution(job.index, time.time(), outcome.error_code, *lists))

    async def _finish(self, job: Job, outcome: Outcome) -> None:
        """Log what ran and post its result, and the QR code of a group that was touched."""
        run = self._record(job, outcome)
        try:
            await self._callbacks.result(self._robot, job.entry, run, job.rooms)
        finally:
            job.done.set()
        if job.command["type"] in (CREATE_GROUP, EDIT_GROUP) and not outcome.error_code:
            await self._callbacks.qr_code(self._robot, str(job.command.get("groupName", "")), run.message_id)

    def _record(self, job: Job, outcome: Outcome) -> Run:
        succeeded, failed = outcome.succeeded, outcome.failed
        if self._world.dialect.failListOnSuccess and succeeded and not outcome.error_code:
            succeeded, failed = succeeded[:-1], succeeded[-1:]
        run = Run(
            robot_id=self._robot.id,
            message_id=job.entry.message_id or "",
            at=time.time(),
            time_cost=round(time.monotonic() - job.began, 3),
            command=job.command,
            error_code=outcome.error_code,
            error_reason=outcome.error_reason,
            succeeded=succeeded,
            failed=failed,
        )
        self._world.runs.append(run)
        return run


class Phones:
    """One phone per robot, from the first command on."""

    def __init__(self, world: World, callbacks: Callbacks, downloads: Downloads) -> None:
        self._world = world
        self._callbacks = callbacks
        self._downloads = downloads
        self._phones: dict[str, Phone] = {}

    def of(self, robot: Robot) -> Phone:
        if robot.id not in self._phones:
            self._phones[robot.id] = Phone(self._world, self._callbacks, self._downloads, robot)
        return self._phones[robot.id]
