"""The engine: claims conversations, walks their runs node by node, performs effects, stores outcomes.

::

    claims ------> runner (one greenlet a conversation) --> interpreter (pure: decides, never does)
    (SKIP LOCKED,   |            ^                              | effects as data
     epoch + 1)     |            '------- outcomes -------------'
                    '--> store (group writer: rows of runs that move together, fenced by the epoch)

Waiting holds nothing: no connection, lock or scarce slot while a model or a phone is awaited.
"""
