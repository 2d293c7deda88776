"""Imported by Python at the start of every process that has this folder on its PYTHONPATH (tests/bench/sampler.py)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent.parent.parent))

from tests.bench.sampler import start

start()
