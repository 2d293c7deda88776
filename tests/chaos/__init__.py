"""``make chaos``: the product under kills and faults, judged from outside.

Modules: ``plan`` (what is said, what is hit: drawn from a seed), ``judge`` (what became of each line: pure, from what
was said and the simulator's ledger), ``stack`` (the processes), ``talk`` (says the lines), ``kills``, ``round`` (one
seed), ``report``.
"""
