"""The runner of the acceptance rows, with rows made here; the real ones take minutes each."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.acceptance import __main__ as accept
from tests.acceptance import rows

PASSES = '"""Shows that it passes."""\n\ndef check(say):\n    say("seen")\n'
FAILS = '"""Shows a failure."""\n\ndef check(say):\n    raise AssertionError("the line was lost")\n'
BREAKS = '"""Breaks off."""\n\ndef check(say):\n    raise OSError("no port")\n'


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the rows by files with these contents."""
    monkeypatch.setattr(rows, "__path__", [str(tmp_path)])

    def make(**sources: str) -> None:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")

    return make


def test_rows_that_pass_end_with_0(made: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    made(made_a=PASSES, made_b=PASSES)
    assert accept.main({}) == 0
    told = capsys.readouterr().out
    assert "[made_a] Shows that it passes." in told
    assert "[made_b] seen" in told


def test_a_failing_row_and_one_that_breaks_off_are_told_and_the_others_run(
    made: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    made(made_breaks=BREAKS, made_fails=FAILS, made_passes=PASSES)
    assert accept.main({}) == 1
    table = capsys.readouterr().out.rpartition("\nrow ")[2].splitlines()[1:]
    assert [line.partition(" s  ")[2] for line in table] == [
        "FAILED: OSError: no port", "FAILED: the line was lost", "passed",
    ]  # fmt: skip


def test_one_row_runs_alone_and_an_unknown_one_is_refused(
    made: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    made(only_fails=FAILS, only_passes=PASSES)
    assert accept.main({"ROW": "only_passes"}) == 0
    assert accept.main({"ROW": "nobody"}) == 1
    assert "only_fails, only_passes" in capsys.readouterr().err


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(rows.__path__)])
def test_every_row_says_what_it_shows_and_can_be_run(name: str) -> None:
    row = import_module(f"{rows.__name__}.{name}")
    assert (row.__doc__ or "").partition("\n")[0].endswith(".")
    assert callable(row.check)
