"""The garbage collector of a process that has started and goes on for weeks."""

from __future__ import annotations

import gc

__all__ = ["settle"]

#: Containers that outlive their makers before the young ones are looked through, and how many such looks make one at
#: the middle-aged and at all. Python's own figures fit scripts; ours hold thousands of rows at once, without cycles.
THRESHOLDS = (20_000, 20, 50)


def settle() -> None:
    """Take what start-up has left out of the collector's sight, and let it look more rarely at the rest.

    A full collection of everything that was imported stops a process for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
