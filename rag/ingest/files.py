"""What lies on disk against what the index knows: which files are to be looked at, which are gone, which were moved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from rag.errors import LoadError, NotUnderstood
from rag.index.catalogue import Catalogue
from rag.ingest.meta import is_sidecar, rules_of
from rag.types import Ingested

# Of how files are read and cut: raised with them, it has every file read once more. What says the same afterwards is
# not embedded again.
FORMAT = "2"
MASS = 10  # documents: as many gone at once, and more than half of a folder's, look like a disk that is not there


@dataclass(frozen=True, slots=True)
class File:
    """One file to be looked at."""

    path: Path
    root: Path
    source: str
    size: int = 0  # bytes
    moved_from: str = ""  # source of the document that was read from the same bytes, elsewhere


@dataclass(frozen=True, slots=True)
class Plan:
    """What an ingestion has to do."""

    files: tuple[File, ...]  # in the order in which they are looked at
    gone: tuple[str, ...] = ()  # sources of documents whose file is no longer there
    refused: tuple[Ingested, ...] = ()  # folders of which too much is gone to be believed
    known: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # path to (source, hash), as the index has it

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def plan(catalogue: Catalogue, paths: Sequence[Path], *, mass_removal: bool) -> Plan:
    """
    Args:
        paths: files and folders, resolved; see ``require_known``.
        mass_removal: also most of a folder's documents may be gone; see ``MASS``.
    """
    known, roots = catalogue.files(), [Path(root) for root in catalogue.roots()]
    given = set(paths)
    gone = [path for path in known if under(Path(path), given) and is_gone(path)]
    refused: list[Ingested] = []
    if gone and not mass_removal:
        gone, refused = _believed(catalogue, gone)
    lost = set(gone)
    files = _named(paths, roots, {path: source for path, (source, _) in known.items() if path not in lost})
    moved = dict(_moved(files, known, gone))
    from_here = set(moved.values())
    return Plan(
        tuple(File(f.path, f.root, f.source, f.size, moved.get(f.path, "")) for f in files),
        tuple(known[path][0] for path in gone if known[path][0] not in from_here),
        tuple(refused),
        known,
    )


def require_known(catalogue: Catalogue, paths: Sequence[Path]) -> None:
    """Let pass what exists, and what has gone from a folder that was ingested and is still there.

    Raises:
        LoadError: for another path.
    """
    for path in paths:
        if not path.exists():
            around = [Path(root) for root in catalogue.roots() if path != Path(root) and path.is_relative_to(root)]
            known = [
                folder
                for folder in around
                if folder.is_dir() and any(under(Path(f), {path}) for f in catalogue.files(folder))
            ]
            if not known:
                raise LoadError(path, "it does not exist")


def under(path: Path, given: Set[Path]) -> bool:
    """Whether a path is one of those that are given, or lies below one."""
    return path in given or any(parent in given for parent in path.parents)


def is_gone(path: str) -> bool:
    """Whether there is no such file. One that cannot be looked at, on a disk that does not answer, is not gone."""
    try:
        return not Path(path).is_file()
    except OSError:
        return False


def hash_of(path: Path) -> str:
    """SHA-256 over a file, its side-car, the rules of its folders, and how files are read.

    Raises:
        LoadError: it cannot be opened.
    """
    digest = hashlib.sha256(FORMAT.encode())
    part = path
    try:
        for part in (path, *rules_of(path)):
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        kind = LoadError if part == path else NotUnderstood
        raise kind(path, f"{part.name} cannot be opened: {error.strerror or type(error).__name__}") from error
    return digest.hexdigest()


def below(given: Path) -> list[Path]:
    """The files of a path in order of name; hidden ones, links out of the folder and side-cars are passed over."""
    if not given.is_dir():
        return [given] if given.is_file() else []
    found = [path for path in sorted(given.rglob("*")) if path.is_file() and not is_sidecar(path)]
    return [
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(given).parts)
        and path.resolve().is_relative_to(given)
    ]


def _believed(catalogue: Catalogue, gone: Sequence[str]) -> tuple[list[str], list[Ingested]]:
    """Those that are gone in a believable number, and the folders where they are not."""
    kept, refused = [], []
    for root in catalogue.roots():
        here = catalogue.files(Path(root))
        lost = [path for path in gone if path in here]
        if len(lost) >= MASS and len(lost) > len(here) / 2:
            reason = (
                f"{len(lost)} of its {len(here)} documents are gone; none was removed, in case its disk is not there"
            )
            refused.append(Ingested(root, "failed", reason=f"{reason}. If they are meant to go: --allow-mass-removal"))
        else:
            kept += lost
    return kept, refused


def _named(paths: Sequence[Path], roots: Sequence[Path], sources: Mapping[str, str]) -> list[File]:
    """Every file below the paths, each with a source that no file of another root has.

    Args:
        sources: path to source of the documents that stay.
    """
    taken = {source: path for path, source in sources.items()}
    files: dict[Path, File] = {}
    for given in paths:
        root = _root_of(given, roots)
        for path in below(given):
            if path not in files:
                free = (name for name in _names(path, root) if taken.get(name, str(path)) == str(path))
                source = next(free)
                taken[source] = str(path)
                files[path] = File(path, root, source, _size(path))
    return list(files.values())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told when it is to be read
        return 0


def _names(path: Path, root: Path) -> Iterator[str]:
    source = path.relative_to(root).as_posix()
    yield source
    yield f"{root.name}/{source}"
    yield from (f"{root.name}-{number}/{source}" for number in count(2))


def _root_of(given: Path, roots: Sequence[Path]) -> Path:
    """The ingested folder that a path belongs to; when there is none, itself or the folder of the file."""
    around = [root for root in roots if given.is_relative_to(root)]
    return max(around, key=lambda root: len(root.parts), default=given if given.is_dir() else given.parent)


def _moved(
    files: Sequence[File], known: Mapping[str, tuple[str, str]], gone: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """(path, source of the document that was read from the same bytes) of new files, where that one's file is gone."""
    lost: dict[str, list[str]] = {}
    for path in gone:
        source, file_hash = known[path]
        lost.setdefault(file_hash, []).append(source)
    for file in files if lost else ():
        if str(file.path) not in known:
            try:
                same = lost.get(hash_of(file.path))
            except LoadError:  # told when it is to be read
                continue
            if same:
                yield file.path, same.pop(0)
