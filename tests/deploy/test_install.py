"""What the installation decides and says, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy import install
from deploy.install import Machine, Pip, Problem, Torch

ROOT = Path(__file__).resolve().parents[2]
LINUX = Machine("Linux", "x86_64", (3, 12), (2, 36), gpu=False)
MAC = Machine("Darwin", "arm64", (3, 12), (15, 1), gpu=False)
WINDOWS = Machine("Windows", "AMD64", (3, 13), (0, 0), gpu=False)


class Wheels(Pip):
    """Finds torch in the user's own wheels or not; fails to install with the words it was made with."""

    def __init__(self, root: Path, local: bool = False, problem: str = "") -> None:
        super().__init__(Path(sys.executable), root, {})
        self.local = local
        self.problem = problem

    def offers(self, *arguments: str) -> bool:
        assert "--no-index" in arguments
        return self.local

    def install(self, *arguments: str) -> None:
        if self.problem:
            raise Problem(self.problem)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that an installation depends on, and a finished ``.venv`` of them in which nothing runs."""
    for file in ("pyproject.toml", "deploy/constraints.txt", "deploy/install.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    install.interpreter(tmp_path).parent.mkdir(parents=True)
    install.interpreter(tmp_path).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("machine", "wish", "build"),
    [
        (LINUX, "", "cpu"),
        (LINUX, "cpu", "cpu"),
        (LINUX, "any", "gpu"),
        (replace(LINUX, gpu=True), "", "gpu"),
        (replace(LINUX, gpu=True), "cpu", "cpu"),
        (MAC, "any", "cpu"),
        (replace(WINDOWS, gpu=True), "", "cpu"),
    ],
)
def test_gigabytes_for_gpus_come_only_where_one_is_or_where_they_are_wanted(
    machine: Machine, wish: str, build: str
) -> None:
    assert install.choose_build(machine, wish) == build


def test_an_unknown_wish_for_torch_is_refused() -> None:
    with pytest.raises(Problem, match='CANDOR_TORCH is "gpu"; known: any, cpu'):
        install.choose_build(LINUX, "gpu")


def test_the_users_own_wheels_come_first(tmp_path: Path) -> None:
    torch = install.find_torch("cpu", LINUX, Wheels(tmp_path, local=True))
    assert torch.kind == "local"
    assert torch.arguments == ("--no-index", "--no-deps", "torch==2.13.0")


def test_without_them_linux_takes_the_cpu_build_of_pytorch_and_nothing_it_depends_on(tmp_path: Path) -> None:
    torch = install.find_torch("cpu", LINUX, Wheels(tmp_path))
    assert torch.arguments == ("--no-deps", "--index-url", install.CPU_BUILDS, "torch==2.13.0+cpu")


@pytest.mark.parametrize("machine", [MAC, WINDOWS])
def test_elsewhere_the_public_package_is_a_cpu_build(machine: Machine, tmp_path: Path) -> None:
    assert install.find_torch("cpu", machine, Wheels(tmp_path)).arguments == ("torch==2.13.0",)


def test_when_no_cpu_build_can_be_had_one_line_says_how_to_accept_the_other(tmp_path: Path) -> None:
    pip = Wheels(tmp_path, problem="the package index cannot be reached")
    with pytest.raises(Problem) as refused:
        install.install_torch(install.find_torch("cpu", LINUX, pip), pip)
    assert "CANDOR_TORCH=any deploy/run" in str(refused.value)
    assert "2.9 GB" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_failure_of_torch_is_said_as_it_is(tmp_path: Path) -> None:
    pip = Wheels(tmp_path, problem="the disk is full")
    with pytest.raises(Problem, match=r"^the disk is full$"):
        install.install_torch(Torch("gpu", "", ("torch==2.13.0",)), pip)


@pytest.mark.parametrize("machine", [LINUX, replace(LINUX, processor="aarch64"), MAC, WINDOWS])
def test_supported_machines_pass(machine: Machine) -> None:
    install.refuse_unsupported(machine)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (replace(LINUX, python=(3, 10)), "Candor needs Python 3.11, 3.12 or 3.13; this is 3.10"),
        (replace(LINUX, python=(3, 14)), "Candor needs Python 3.11, 3.12 or 3.13; this is 3.14"),
        (replace(LINUX, base=(2, 27)), "the packages need glibc 2.28 or later; this system has 2.27"),
        (replace(LINUX, base=(0, 0)), "the packages need glibc 2.28 or later; this system has another C library"),
        (replace(LINUX, processor="riscv64"), "torch 2.13.0 is not published for Linux on riscv64"),
        (replace(MAC, base=(13, 6)), "the packages need macOS 14.0 or later; this system has 13.6"),
        (replace(MAC, processor="x86_64"), "torch 2.13.0 is not published for Macs with an Intel processor"),
        (replace(WINDOWS, processor="ARM64"), "torch 2.13.0 is not published for Windows on ARM64"),
    ],
)
def test_other_machines_are_refused_before_anything_is_downloaded(machine: Machine, said: str) -> None:
    with pytest.raises(Problem) as refused:
        install.refuse_unsupported(machine)
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "read"), [("2.36", (2, 36)), ("14.6.1", (14, 6)), ("15", (15, 0)), ("", (0, 0))])
def test_versions_are_read(text: str, read: tuple[int, int]) -> None:
    assert install.version(text) == read


def test_a_full_disk_is_noticed_first(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000 * 2**20))
    with pytest.raises(Problem, match="has 1000 MB free, and 3600 MB are needed"):
        install.refuse_full_disk(tree, 3600)


def test_what_an_interrupted_installation_left_is_not_needed_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / ".venv" / "half").write_bytes(bytes(3 * 2**20))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=8 * 2**20))
    install.refuse_full_disk(tree, 10)


def test_a_finished_installation_is_recognised(tree: Path) -> None:
    assert not install.installed(tree, dev=False)
    install.write_stamp(tree, dev=False)
    assert install.installed(tree, dev=False)
    assert not install.installed(tree, dev=True)
    install.write_stamp(tree, dev=True)
    assert install.installed(tree, dev=False)
    assert install.installed(tree, dev=True)


@pytest.mark.parametrize("file", ["pyproject.toml", "deploy/constraints.txt", "deploy/install.py"])
def test_a_change_of_what_it_depends_on_asks_for_a_new_one(tree: Path, file: str) -> None:
    install.write_stamp(tree, dev=False)
    with (tree / file).open("a", encoding="utf-8") as changed:
        changed.write("\n# changed\n")
    assert not install.installed(tree, dev=False)


def test_so_does_a_move_of_the_folder(tree: Path) -> None:
    install.write_stamp(tree, dev=False)
    moved = tree.rename(tree.with_name("moved"))
    assert not install.installed(moved, dev=False)


@pytest.mark.parametrize("content", ["", "{", json.dumps({"dev": True})])
def test_so_does_a_damaged_stamp(tree: Path, content: str) -> None:
    install.stamp(tree).write_text(content, encoding="utf-8")
    assert not install.installed(tree, dev=False)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full; make room and run it again"),
        (
            "ERROR: [Errno 13] Permission denied: '/x'",
            "a file cannot be written, see above; mend that and run it again",
        ),
        (
            "ProtocolError('Connection broken: IncompleteRead(5 bytes read, 9 more expected)')",
            "a download broke off or arrived damaged; run it again to carry on",
        ),
        (
            "NewConnectionError: Name or service not known\nERROR: No matching distribution found for rich",
            "the package index cannot be reached; check the network or proxy and run it again to carry on",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            "the package index has no torch==2.13.0 for this system and Python; see install.log",
        ),
        ("ERROR: something new", "pip failed, its last words are above; the whole log is install.log"),
    ],
)
def test_what_pip_said_becomes_one_line(said: str, line: str) -> None:
    assert install.explained(said, Path("install.log")) == line


def test_pip_that_fails_is_explained(tree: Path) -> None:
    pip = Pip(Path(sys.executable), tree, {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tree)})
    with pytest.raises(Problem, match="the package index has no candor-no-such-package"):
        pip.install("candor-no-such-package")


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match=r"^cannot write to .*file: Not a directory$"):
        install.make_environment(tmp_path / "file")


def test_every_dependency_is_installed_in_some_portion_with_what_builds_the_project() -> None:
    names = install.required(ROOT, dev=True)
    assert names[0] == f"torch=={install.TORCH}"
    assert {"hatchling", "editables"} < set(names)
    assert any(name.startswith("pytest") for name in names)
    assert not any(name.startswith("pytest") for name in install.required(ROOT, dev=False))
    assert [name for portion in install.portions(names) for name in portion] == names


def test_every_dependency_is_pinned() -> None:
    pinned = {line.partition("==")[0] for line in constraints() if "==" in line}
    wanted = {name.partition(">")[0].partition("=")[0] for name in install.required(ROOT, dev=True)}
    assert wanted - pinned == set()
    assert install.GENERATOR in {line.partition(" ")[0] for line in constraints()}
    assert f"torch=={install.TORCH}" in constraints()


def constraints() -> Iterable[str]:
    return (ROOT / "deploy" / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_problems_are_one_line_and_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise Problem("no room")

    monkeypatch.setattr(install, "installed", lambda *_: False)
    monkeypatch.setattr(install, "install", fail)
    assert install.main([]) == 1
    assert capsys.readouterr().err == "candor: no room\n"


def test_without_an_administrator_the_browser_tests_are_said_to_skip(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    install.browser()
    assert "the tests of the page in a browser are skipped" in capsys.readouterr().out


def test_help_installs_nothing() -> None:
    answer = subprocess.run(["sh", ROOT / "deploy" / "run", "--help"], capture_output=True, text=True, timeout=20)
    assert answer.returncode == 0
    assert "--empty" in answer.stdout


def test_a_machine_without_python_gets_one_line(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    answer = subprocess.run(
        [programs / "sh", tmp_path / "deploy" / "run"], capture_output=True, text=True, env={"PATH": str(programs)}
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Candor needs Python 3.11, 3.12 or 3.13 with its venv module")
    assert answer.stderr.count("\n") == 1
