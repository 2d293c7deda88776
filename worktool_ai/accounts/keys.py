"""The keyring's care: every stored secret is encrypted again with the key in front, and what nobody can open is named.

A rotation may run beside the product and may be interrupted anywhere. Each value is exchanged only if it is still the
one that was read, so that nothing somebody enters meanwhile is lost; what already is under the key in front is left
alone, so that the next rotation goes on where this one ended.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import heartbeats
from worktool_ai.lib.crypto import UndecryptableError, decrypt, encrypt, key_id_of
from worktool_ai.lib.db import tx
from worktool_ai.lib.keyring import current_key_id, known_key_ids
from worktool_ai.lib.sealed_rows import Column, Row, replace, rows

__all__ = ["Tally", "behind", "rotate", "tally", "unneeded_keys"]

#: Who rotates: a person, an API key, or the name of a process.
Actor = User | ApiKey | str

#: Rows exchanged in one transaction.
BATCH = 100
#: A value that was changed meanwhile is looked at again so often.
PASSES = 3
#: A process that was heard of within so many seconds runs.
RUNNING_S = 15.0


@dataclass(slots=True)
class Tally:
    """The secrets of one column: how many under which key, how many of them are due (under another key than the one in
    front) or unreadable (no key at hand opens them), and what a rotation did to them.
    """

    column: Column
    by_key: Counter[str] = field(default_factory=Counter)
    due: int = 0
    unreadable: int = 0
    rotated: int = 0
    changed_meanwhile: int = 0

    @property
    def total(self) -> int:
        return self.by_key.total()


def tally(column: Column) -> Tally:
    """Count the secrets of a column as they are stored now."""
    counted = Tally(column)
    for page in rows(column):
        for token in (token for row in page for _place, token in row.tokens()):
            counted.by_key[key_id_of(token)] += 1
            if _opened(token) is None:
                counted.unreadable += 1
            elif key_id_of(token) != current_key_id():
                counted.due += 1
    return counted


def rotate(column: Column, actor: Actor, batch: int = BATCH, after_batch: Callable[[], None] | None = None) -> Tally:
    """Encrypt every secret of a column with the key in front, a batch per transaction, each with its audit entry.

    What nobody can open stays as it is. Returns what is stored afterwards, and what was done.
    """
    rotated = missed = 0
    for _ in range(PASSES):
        lost = 0
        for page in rows(column, batch):
            done, lost_here = _rotate_page(column, page, actor)
            rotated, lost = rotated + done, lost + lost_here
            if after_batch:
                after_batch()
        missed += lost
        if not lost:
            break
    counted = tally(column)
    counted.rotated, counted.changed_meanwhile = rotated, missed
    return counted


def _rotate_page(column: Column, page: Iterable[Row], actor: Actor) -> tuple[int, int]:
    """Return how many secrets were exchanged, and how many rows somebody had changed meanwhile."""
    exchanged: Counter[str] = Counter()
    lost = 0
    with tx():
        for row in page:
            new = _renewed(row)
            if not new:
                continue
            if replace(column, row, row.with_tokens(new)):
                exchanged.update(map(key_id_of, new))
            else:
                lost += 1
        if exchanged:
            subject = audit.Subject(column.model._meta.label_lower, column.field.name, column.name)
            after = {current_key_id(): exchanged.total()}
            audit.record(actor, "keys.rotate", subject, {"under": exchanged}, {"under": after})
    return exchanged.total(), lost


def _renewed(row: Row) -> dict[str, str]:
    """Return the new token of each token that is under another key and can be opened."""
    current = current_key_id()
    old = [token for _place, token in row.tokens() if key_id_of(token) != current]
    return {token: encrypt(text) for token in old if (text := _opened(token)) is not None}


def _opened(token: str) -> str | None:
    try:
        return decrypt(token)
    except UndecryptableError:
        return None


def unneeded_keys(tallies: Iterable[Tally]) -> list[str]:
    """Return the ids of known keys, the one in front apart, under which nothing is stored any more."""
    used = {key_id for counted in tallies for key_id, number in counted.by_key.items() if number}
    return [key_id for key_id in known_key_ids()[1:] if key_id not in used]


def behind() -> list[str]:
    """Return the running processes that do not know the key in front: they could not open what a rotation stores.

    Raises ``redis.RedisError`` when the broker's Redis is away.
    """
    now = time.time()
    running = [sign for sign in heartbeats.read_all() if sign.age(now) < RUNNING_S]
    return sorted({f"{sign.part} {sign.process}" for sign in running if current_key_id() not in sign.keys})
