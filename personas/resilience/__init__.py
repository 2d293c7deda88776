"""Keeping customers answered while models fail: breakers, limits, health.

One :class:`~personas.resilience.gates.Gates` per process decides before a call whether a model may be asked and is told
afterwards what came of it. What it knows is shared by all processes through Redis, and kept in the process alone while
Redis is away. Nothing here ever fails a call.
"""
