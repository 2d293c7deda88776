"""Makes a checkout runnable on a machine that has only Python: ``python3.11 -m worktool_ai.bootstrap base|dev|lint``.

``base`` is what the product runs on; ``dev`` adds what tests need (as root also a browser with Chinese fonts);
``lint`` adds the JavaScript tools. Only the standard library is used, and every step leaves a stamp, so that the next
start skips it. The caller's environment is kept as it is: it may name a private registry and its certificates.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
OLDEST_PYTHON = (3, 11)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
BROWSER_PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-noto-color-emoji")
CJK_FONTS = Path("/usr/share/fonts/opentype/noto")
#: pip's settings that uv knows by another name.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "no-index": "UV_NO_INDEX",
}


class BootstrapError(Exception):
    """The machine lacks something; the message is one line that says what to do."""


def say(line: str) -> None:
    print(f"[setup] {line}", flush=True)


def run(arguments: Sequence[str | Path], *, env: dict[str, str] | None = None) -> bool:
    """Run a program, showing its output only when it fails; tells whether it succeeded."""
    done = subprocess.run(
        arguments, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout.rstrip()[-4000:], flush=True)
    return done.returncode == 0


class Stamp:
    """Remembers for which inputs a step was last done."""

    def __init__(self, name: str, inputs: Sequence[Path], folder: Path) -> None:
        self.path = folder / f".stamp-{name}"
        digest = hashlib.sha256(sys.version.encode())
        for path in inputs:
            digest.update(path.read_bytes())
        self.wanted = digest.hexdigest()

    def is_fresh(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.wanted

    def set(self) -> None:
        self.path.write_text(self.wanted)


def make_environment() -> None:
    """Create ``.venv`` when it is missing or unusable."""
    if sys.version_info < OLDEST_PYTHON:
        raise BootstrapError(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.")
    if PYTHON.exists() and run([PYTHON, "-c", "import pip"]):
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise BootstrapError(f"This Python cannot make environments: install its venv module (Debian: {version}-venv).")
    say("making the Python environment in .venv")
    if not run([sys.executable, "-m", "venv", "--clear", VENV]):
        raise BootstrapError("The Python environment could not be made; the lines above say why.")


def install(kind: str) -> None:
    """Install ``requirements/<kind>.txt`` with its hashes, by uv where that works, else by pip."""
    locked = REQUIREMENTS / f"{kind}.txt"
    stamp = Stamp(kind, [locked], VENV)
    if stamp.is_fresh():
        return
    started = time.monotonic()
    say(f"installing {locked.relative_to(ROOT)} (a minute or two without a warm cache)")
    if not install_with_uv(locked) and not install_with_pip(locked):
        raise BootstrapError(f"{locked.name} could not be installed; the lines above say why.")
    stamp.set()
    say(f"installed in {time.monotonic() - started:.0f} s")


def has_cache(setting: str, folder: str) -> bool:
    """Tell whether the caller keeps a package cache; where there is none, none is left behind in his home."""
    return setting in os.environ or (Path.home() / folder).is_dir()


def install_with_pip(locked: Path) -> bool:
    cache = [] if has_cache("PIP_CACHE_DIR", ".cache/pip") else ["--no-cache-dir"]
    quiet = ["--quiet", "--disable-pip-version-check", *cache]
    return run([PYTHON, "-m", "pip", "install", *quiet, "--require-hashes", "-r", locked])


def install_with_uv(locked: Path) -> bool:
    """uv is many times faster; a machine where it cannot be had, or cannot reach the registry, has pip."""
    if not (VENV / "bin" / "uv").exists() and not install_with_pip(REQUIREMENTS / "uv.txt"):
        say("uv cannot be installed here; using pip")
        return False
    arguments = ["pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "-r", str(locked)]
    if run([VENV / "bin" / "uv", *arguments], env=uv_environment()):
        return True
    say("uv did not get through; using pip, which takes longer")
    return False


def uv_environment() -> dict[str, str]:
    """Return the environment for uv: the caller's, plus what only pip has been told so far.

    uv neither reads pip's configuration nor compiles to bytecode by itself (every start would compile anew).
    """
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    known: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        name = UV_NAMES.get(key.rpartition(".")[2])
        if name:
            known[name] = " ".join(value.strip("'\"").split("\\n"))
    if not has_cache("UV_CACHE_DIR", ".cache/uv"):
        known["UV_NO_CACHE"] = "1"
    # several registries count as equals, as with pip: the hashes say which files are meant
    known["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {"UV_COMPILE_BYTECODE": "1", **known, **os.environ}


def compile_messages() -> None:
    """Compile translations whose ``.mo`` is missing or older than its ``.po``."""
    stale = [
        path
        for path in ROOT.glob("locale/*/LC_MESSAGES/*.po")
        if not (mo := path.with_suffix(".mo")).exists() or mo.stat().st_mtime < path.stat().st_mtime
    ]
    if not stale:
        return
    say("compiling translations")
    program = (
        "import os, sys, polib\n"
        "for path in sys.argv[1:]:\n"
        "    polib.pofile(path).save_as_mofile(path[:-3] + '.mo.new')\n"
        "    os.replace(path[:-3] + '.mo.new', path[:-3] + '.mo')\n"
    )
    if not run([PYTHON, "-c", program, *stale]):
        raise BootstrapError("A translation file is malformed; the lines above name it.")


def find_browser() -> str | None:
    """Return the path of a Chromium on this machine."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


def install_browser() -> None:
    """As root on a Debian-like machine, install what the browser tests need; elsewhere say what is missing."""
    missing = find_browser() is None or not list(CJK_FONTS.glob("NotoSansCJK*"))
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"browser tests will be skipped: install {' '.join(BROWSER_PACKAGES)} to run them")
        return
    say(f"installing {' '.join(BROWSER_PACKAGES)} for the browser tests")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = ["apt-get", "install", "-y", "--no-install-recommends", *BROWSER_PACKAGES]
    if not run(packages, env=quiet) and not (run(["apt-get", "update"], env=quiet) and run(packages, env=quiet)):
        say("the browser could not be installed; its tests will be skipped")


def install_node_tools() -> None:
    """Install the JavaScript linter of package-lock.json, with the machine's npm or the one in the venv."""
    lock = ROOT / "package-lock.json"
    stamp = Stamp("node", [lock], ROOT / "node_modules")
    if stamp.is_fresh():
        return
    say("installing the JavaScript tools")
    npm = shutil.which("npm") or VENV / "bin" / "npm"
    searched = f"{os.environ.get('PATH', os.defpath)}:{VENV / 'bin'}"
    cache = [] if has_cache("npm_config_cache", ".npm") else ["--cache", str(VENV / ".npm-cache")]
    arguments = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *cache]
    if not run(arguments, env={**os.environ, "PATH": searched}):
        raise BootstrapError("npm could not install the JavaScript tools; the lines above say why.")
    stamp.set()


def main(arguments: Sequence[str]) -> int:
    """Bring the checkout to the state that one of base, dev, lint names; 0 done, 1 not possible here."""
    kind = arguments[0] if arguments else ""
    if kind not in {"base", "dev", "lint"}:
        print("usage: python3.11 -m worktool_ai.bootstrap base|dev|lint")
        return 2
    try:
        make_environment()
        install("base" if kind == "base" else "dev")
        compile_messages()
        if kind == "dev":
            install_browser()
        if kind == "lint":
            install_node_tools()
    except BootstrapError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
