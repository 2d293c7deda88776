"""A checkout on a machine that has only Python."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

from worktool_ai import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scratch checkout whose environment borrows this one's Python."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", tmp_path / "requirements")
    (tmp_path / "requirements").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("base", "dev", "uv"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"# {name}\n")
    return tmp_path


class Recorder:
    """Stands in for programs that would reach the network; those whose arguments hold a word of ``failing`` fail."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.calls: list[str] = []

    def __call__(self, arguments: Sequence[str | Path], *, env: dict[str, str] | None = None) -> bool:
        line = " ".join(str(part) for part in arguments)
        self.calls.append(line)
        return not any(word in line for word in self.failing)


def test_installs_once_per_lock_file(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(bootstrap, "run", recorder)
    bootstrap.install("base")
    count = len(recorder.calls)
    assert all("--require-hashes" in call for call in recorder.calls)
    bootstrap.install("base")
    assert len(recorder.calls) == count
    (checkout / "requirements" / "base.txt").write_text("# newer\n")
    bootstrap.install("base")
    assert len(recorder.calls) > count


@pytest.mark.parametrize("failing", ["uv.txt", "bin/uv"])
def test_pip_does_it_where_uv_cannot(checkout: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    recorder = Recorder(failing)
    monkeypatch.setattr(bootstrap, "run", recorder)
    bootstrap.install("base")
    assert "-m pip install" in recorder.calls[-1]
    assert recorder.calls[-1].endswith("base.txt")


def test_a_failed_install_is_not_remembered(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "run", Recorder("install"))
    with pytest.raises(bootstrap.BootstrapError, match=r"base\.txt"):
        bootstrap.install("base")
    assert not (checkout / ".venv" / ".stamp-base").exists()


def test_uv_is_told_what_pip_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://registry.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example https://b.example")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_CACHE_DIR", "UV_NO_CACHE"):
        monkeypatch.delenv(name, raising=False)
    told = bootstrap.uv_environment()
    assert told["UV_DEFAULT_INDEX"] == "https://registry.example/simple"
    assert told["UV_INDEX"] == "https://a.example https://b.example"
    assert told["UV_COMPILE_BYTECODE"] == "1"
    assert told["UV_NO_CACHE"] == "1"


def test_translations_are_compiled_when_stale(checkout: Path) -> None:
    folder = checkout / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "room"\nmsgstr "群"\n')
    bootstrap.compile_messages()
    compiled = folder / "django.mo"
    assert "群".encode() in compiled.read_bytes()
    before = compiled.stat().st_mtime_ns
    bootstrap.compile_messages()
    assert compiled.stat().st_mtime_ns == before
    os.utime(source, (compiled.stat().st_mtime + 5,) * 2)
    bootstrap.compile_messages()
    assert compiled.stat().st_mtime_ns > before


def test_a_malformed_translation_is_reported(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = checkout / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text("nonsense here\n")
    with pytest.raises(bootstrap.BootstrapError):
        bootstrap.compile_messages()
    assert "django.po" in capsys.readouterr().out


def test_a_python_without_venv_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PYTHON", checkout / ".venv" / "bin" / "python")
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bootstrap.BootstrapError, match=r"python3\.\d+-venv"):
        bootstrap.make_environment()


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (9, 0))
    with pytest.raises(bootstrap.BootstrapError, match=r"3\.11 or newer"):
        bootstrap.make_environment()


def test_makes_an_environment_and_keeps_it(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PYTHON", checkout / ".venv" / "bin" / "python")
    made: list[Path] = []

    def make(arguments: Sequence[str | Path], *, env: dict[str, str] | None = None) -> bool:
        if "venv" in arguments:
            venv.create(checkout / ".venv", with_pip=False)
            made.append(checkout)
        return True

    monkeypatch.setattr(bootstrap, "run", make)
    bootstrap.make_environment()
    bootstrap.make_environment()
    assert made == [checkout]


@pytest.mark.parametrize(
    ("root", "apt", "calls"),
    [(True, True, ["apt-get install -y --no-install-recommends chromium"]), (True, False, []), (False, True, [])],
)
def test_browser_is_installed_where_possible(
    monkeypatch: pytest.MonkeyPatch, root: bool, apt: bool, calls: list[str]
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(bootstrap, "run", recorder)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/apt" if name == "apt-get" and apt else None)
    bootstrap.install_browser()
    assert [call.removesuffix(" fonts-noto-cjk fonts-noto-color-emoji") for call in recorder.calls] == calls


def test_browser_tests_are_skipped_when_apt_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "run", Recorder("apt-get"))
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/apt" if name == "apt-get" else None)
    bootstrap.install_browser()
    assert "skipped" in capsys.readouterr().out


def test_node_tools_are_installed_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "package-lock.json").write_text("{}")
    (checkout / "node_modules").mkdir()
    recorder = Recorder()
    monkeypatch.setattr(bootstrap, "run", recorder)
    bootstrap.install_node_tools()
    bootstrap.install_node_tools()
    assert len(recorder.calls) == 1
    assert "ci --ignore-scripts" in recorder.calls[0]


def test_missing_npm_tools_are_reported(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "package-lock.json").write_text("{}")
    monkeypatch.setattr(bootstrap, "run", Recorder("npm"))
    with pytest.raises(bootstrap.BootstrapError, match="npm"):
        bootstrap.install_node_tools()


def test_command_line(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["everything"]) == 2
    monkeypatch.setattr(bootstrap, "run", Recorder())
    monkeypatch.setattr(bootstrap, "find_browser", lambda: "/usr/bin/chromium")
    (checkout / "package-lock.json").write_text("{}")
    (checkout / "node_modules").mkdir()
    assert [bootstrap.main([kind]) for kind in ("base", "dev", "lint")] == [0, 0, 0]
    monkeypatch.setattr(bootstrap, "run", Recorder("install"))
    (checkout / "requirements" / "base.txt").write_text("# other\n")
    assert bootstrap.main(["base"]) == 1
    assert "could not be installed" in capsys.readouterr().out


def test_runs_on_a_bare_python() -> None:
    isolated = [sys.executable, "-I", "-S", "-c", "import runpy, sys; runpy.run_path(sys.argv[1])"]
    assert subprocess.run([*isolated, bootstrap.__file__], check=False).returncode == 0
