"""How chunks are cut, compared at the same budget: ``python -m tests.quality.chunking FOLDER``, a set with spans.

Our splitter as it is set, and LangChain's recursive one at a fifth of the budget without overlap, which fits best. Each
is searched as the product searches, and by meaning alone, as a plain pipeline would. What counts are the five best
chunks, as far as they fit into the budget one after the other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from guardrails.encoder import open_folder
from guardrails.weights import MINILM
from rag.evaluation import retrieval
from rag.evaluation.retrieval import BeirSet, Query, words_in
from rag.evaluation.trial import Trial, trial
from rag.ingest.files import File
from rag.ingest.ingest import Ingestion, Read
from rag.ingest.split import split
from rag.settings import Settings
from rag.types import Chunk, Document

BUDGET = 800  # tokens of the encoder, over all the chunks together
CHUNKS = 5
GROUP = 64  # documents stored together

Cut = Callable[[Document], list[Chunk]]


@cache
def tokenizer() -> Any:
    found = open_folder(MINILM.verified().parent).tokenizer.backend_tokenizer
    found.no_truncation()
    found.no_padding()
    return found


def tokens(text: str) -> int:
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def recursive(document: Document) -> list[Chunk]:
    """As LangChain cuts it; offsets as it finds them."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=BUDGET // CHUNKS, chunk_overlap=0, add_start_index=True, length_function=tokens
    )
    parts = splitter.create_documents([document.text])
    places = [(part.metadata["start_index"], part.page_content) for part in parts]
    return [Chunk(document.id, document.source, document.title, text, at, at + len(text)) for at, text in places]


def fill(index: Trial, documents: Sequence[Document], cut: Cut) -> None:
    ingestion = Ingestion(index.catalogue, index.vectors, index.encoder, index.settings.chunks)
    for first in range(0, len(documents), GROUP):
        group = documents[first : first + GROUP]
        reads = [Read(File(Path("/", one.source), Path("/"), one.source), "", one, cut(one)) for one in group]
        for _ in ingestion.store(reads):
            pass


def held(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The best chunks that fit into the budget."""
    kept: list[Chunk] = []
    for chunk in chunks[:CHUNKS]:
        if sum(tokens(other.text) for other in (*kept, chunk)) > BUDGET:
            break
        kept.append(chunk)
    return kept


def judged(beir: BeirSet, query: Query, chunks: Sequence[Chunk]) -> tuple[float, int]:
    """The share of the words of a query's spans that the chunks hold, and the chunks' tokens."""
    words = partial(words_in, beir.documents)
    wanted = words([(source, span) for source, spans in beir.spans[query.id].items() for span in spans])
    found = words([(chunk.source, (chunk.start, chunk.end)) for chunk in chunks])
    return len(wanted & found) / len(wanted), sum(tokens(chunk.text) for chunk in chunks)


def measure(folder: Path) -> dict[str, dict[str, float]]:
    settings = Settings()
    beir = retrieval.read(folder)
    queries = [query for query in beir.queries if query.id in beir.spans]
    cuts: dict[str, Cut] = {
        "ours": lambda document: split(document, settings.chunks.size, settings.chunks.overlap),
        "recursive": recursive,
    }
    figures = {}
    for name, cut in cuts.items():
        with trial(settings) as index:
            fill(index, list(beir.documents.values()), cut)
            for how, search in (("product", retrieval.product), ("meaning", retrieval.meaning_only)):
                rows = [judged(beir, query, held(search(index, query))) for query in queries]
                figures[f"{name}, {how}"] = {
                    "token_recall": round(sum(recall for recall, _ in rows) / len(rows), 4),
                    "tokens": round(sum(size for _, size in rows) / len(rows)),
                    "most_tokens": max(size for _, size in rows),
                }
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1])), indent=2))  # noqa: T201
