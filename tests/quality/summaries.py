"""How whole documents are summed up: ``python -m tests.quality.summaries FILE... [--text]``.

Each file is put in alone and asked for by its name, without a writing model. A section is covered when a sentence is
shown that is cited from it. Of a document with more sections than ``rag.summary.MOST_SECTIONS`` neighbours are read
together, so that fewer are read than there are headings.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rag.access import LOCAL_READER
from rag.build import Candor
from rag.ingest.outline import headings, read_lines
from rag.settings import Generation, Settings
from rag.types import Chunk, Sentence, Shown, Status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--text", action="store_true", help="print the summaries too")
    arguments = parser.parse_args()
    write = sys.stdout.write
    write("| file | characters | headings | sections read | with a cited sentence | sentences | cited | seconds |\n")
    write("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
    texts = []
    for file in arguments.files:
        row, text = _measured(file)
        write(f"{row}\n")
        texts.append(text)
    if arguments.text:
        write("\n".join([*texts, ""]))


def _measured(file: Path) -> tuple[str, str]:
    with TemporaryDirectory(prefix="candor-") as folder:
        candor = Candor(Settings(state=Path(folder), generation=Generation(model="none")))
        try:
            candor.load(None)
            for _ in candor.library.ingest([file], LOCAL_READER):
                pass
            (document,) = candor.library.shelf(LOCAL_READER)
            begun = time.perf_counter()
            shown = list(candor.assistant.ask(f"Summarise {document.source}", "summary", LOCAL_READER))
            seconds = time.perf_counter() - begun
            whole = candor.assistant.parts.whole
            chunks = [passage.chunk for passage in whole.passages(document.source, LOCAL_READER)] if whole else []
        finally:
            candor.close()
    sentences = [piece for piece in shown if isinstance(piece, Sentence)]
    cited = [piece for piece in sentences if _is_cited(piece)]
    read, covered = _sections(shown)
    named = len({words for chunk in chunks for words in _headings(chunk)})
    row = (
        f"| {file.name} | {sum(len(chunk.text) for chunk in chunks):,} | {named} | {read} | {covered} "
        f"| {len(sentences)} | {len(cited)} | {seconds:.1f} |"
    )
    return row, "\n".join([f"\n### {document.title}\n", *(f"- {piece.text.strip()}" for piece in sentences)])


def _sections(shown: Sequence[Shown]) -> tuple[int, int]:
    """How many were read, and after how many of them a sentence was shown that is cited."""
    read, covered = 0, set()
    for piece in shown:
        read += isinstance(piece, Status) and piece.text.startswith("Section ")
        if isinstance(piece, Sentence) and _is_cited(piece):
            covered.add(read)
    return read, len(covered)


def _is_cited(piece: Sentence) -> bool:
    return any(one.supports for one in piece.citations)


def _headings(chunk: Chunk) -> Iterator[str]:
    yield from (heading.words for heading in headings(chunk.text, read_lines(chunk.text)))


if __name__ == "__main__":
    main()
