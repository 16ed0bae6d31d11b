"""Whether vectors, index of words, catalogue and the files on disk agree; and what does not, mended.

The catalogue decides what exists, the files decide what it should say. Each chunk has one vector, with its document and
audience; each vector has its chunk; the index of words holds the words of each chunk; each document is of the file as
it lies there now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rag.errors import LoadError
from rag.index import inventory
from rag.index.inventory import Listed
from rag.ingest.files import below, hash_of, is_gone, under
from rag.ingest.ingest import Ingestion, embedded_text
from rag.types import Difference, Ingested, Progress, Verified

BATCH = 256  # chunks mended at a time
GONE, CHANGED, NEW = "its file is gone", "its file has changed", "a file that is not in the index"


def verify(
    ingestion: Ingestion, paths: Sequence[Path], ingest: Callable[[Sequence[Path]], Iterator[Progress]]
) -> Iterator[Difference | Progress | Verified]:
    """Compare, mend, and tell each difference; at the end what was compared.

    Args:
        paths: which files to compare, new ones below them too; none: those of every document.
        ingest: brings files that differ into the index.
    """
    with ingestion.alone():
        yield from _in_index(ingestion)
        known = ingestion.catalogue.files()
        folders = [path.expanduser().resolve() for path in paths]
        differing = dict(_of_files(ingestion, known, folders))
    failed: dict[str, Ingested] = {}
    if differing:
        for step in ingest([Path(path) for path in differing]):
            yield step
            if step.latest and step.latest.state == "failed":
                failed[step.latest.source] = step.latest
    for path, difference in differing.items():
        yield _told(difference, path, failed)
    documents, chunks = ingestion.catalogue.count()
    compared = sum(1 for path in known if not folders or under(Path(path), set(folders)))
    yield Verified(documents, chunks, compared + sum(item.what == NEW for item in differing.values()))


def _in_index(ingestion: Ingestion) -> Iterator[Difference]:
    catalogue = ingestion.catalogue
    if not inventory.is_whole(catalogue):
        way_out = "put a copy back, or build it anew with candor ingest --rebuild"
        yield Difference("the file of the catalogue is damaged", "index.sqlite", mended=False, reason=way_out)
        return
    if orphans := inventory.drop_orphans(catalogue):
        yield Difference("chunks without a document", "index.sqlite", orphans)
    for source in inventory.read_again(catalogue):
        yield Difference("a document without chunks", source)
    if not inventory.words_agree(catalogue):
        inventory.rebuild_words(catalogue)
        mended = inventory.words_agree(catalogue)
        reason = "" if mended else "build it anew with candor ingest --rebuild"
        yield Difference("the index of words is not that of the chunks", "index.sqlite", mended=mended, reason=reason)
    yield from _in_vectors(ingestion)


def _in_vectors(ingestion: Ingestion) -> Iterator[Difference]:
    wanted = inventory.listed(ingestion.catalogue)
    there = {id: (document_id, audience) for id, document_id, audience in ingestion.vectors.rows()}
    strays = sorted(there.keys() - wanted.keys())
    ingestion.vectors.discard(strays)
    if strays:
        yield Difference("vectors without a chunk", "vectors", len(strays))
    missing = [id for id in wanted if id not in there]
    yield from _by_source("chunks without a vector", wanted, missing)
    wrong = [id for id, of in wanted.items() if id in there and there[id] != (of.document_id, of.audience)]
    yield from _by_source("vectors of another document or audience", wanted, wrong)
    again = missing + wrong
    for first in range(0, len(again), BATCH):
        _embed(ingestion, wanted, again[first : first + BATCH])


def _by_source(what: str, wanted: dict[str, Listed], ids: Iterable[str]) -> Iterator[Difference]:
    for source, count in sorted(Counter(wanted[id].source for id in ids).items()):
        yield Difference(what, source, count)


def _embed(ingestion: Ingestion, wanted: dict[str, Listed], ids: Sequence[str]) -> None:
    chunks = ingestion.catalogue.chunks(ids, sorted({wanted[id].audience for id in ids}))
    vectors = ingestion.encoder.embed([embedded_text(chunks[id]) for id in ids])
    of = [wanted[id] for id in ids]
    ingestion.vectors.add(ids, vectors, [one.document_id for one in of], [one.audience for one in of])


def _of_files(
    ingestion: Ingestion, known: dict[str, tuple[str, str]], folders: Sequence[Path]
) -> Iterator[tuple[str, Difference]]:
    """Path to difference. Files that could not be read before, and are told as such, are passed over."""
    for path, (source, file_hash) in known.items():
        if not folders or under(Path(path), set(folders)):
            if is_gone(path):
                yield path, Difference(GONE, source)
            elif _hash(Path(path)) != file_hash:
                yield path, Difference(CHANGED, source)
    told = ingestion.catalogue.failed()
    for folder in folders:
        for new in below(folder) if folder.exists() else ():
            if str(new) not in known and str(new) not in told:
                yield str(new), Difference(NEW, str(new))


def _hash(path: Path) -> str:
    try:
        return hash_of(path)
    except LoadError:  # told when it is read
        return ""


def _told(difference: Difference, path: str, failed: dict[str, Ingested]) -> Difference:
    """A difference of a file, and whether it could be mended."""
    for one in failed.values():
        itself = difference.where == one.source or (difference.what == NEW and path.endswith(f"/{one.source}"))
        if itself or (difference.what == GONE and under(Path(path), {Path(one.source)})):
            return replace(difference, mended=False, reason=one.reason)
    return difference
