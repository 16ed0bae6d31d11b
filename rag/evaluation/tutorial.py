"""The pipeline of LangChain's own tutorial for ingestion, to compare with. Its packages are not needed otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from guardrails.weights import MINILM

PACKAGES = ("langchain_chroma", "langchain_community", "langchain_huggingface", "langchain_text_splitters")
SUFFIXES = (".md", ".txt")  # read without further packages


def installed() -> bool:
    """Whether every package that it needs is there."""
    return all(find_spec(package) for package in PACKAGES)


def readable(folder: Path) -> Iterator[Path]:
    """The files of a folder that it can read."""
    return (path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES and path.is_file())


class Pipeline:
    """Directory loader, recursive splitter, sentence-transformers, Chroma; the same weights, chunks of one size."""

    def __init__(self, size: int, overlap: int) -> None:
        embeddings = import_module("langchain_huggingface").HuggingFaceEmbeddings
        splitter = import_module("langchain_text_splitters").RecursiveCharacterTextSplitter
        self._embeddings: Any = embeddings(model_name=str(MINILM.verified().parent))
        self._splitter: Any = splitter(chunk_size=size, chunk_overlap=overlap)

    def ingest(self, folder: Path) -> None:
        """Read, split, embed and store every readable file of a folder, in memory."""
        loaders = import_module("langchain_community.document_loaders")
        chroma = import_module("langchain_chroma").Chroma
        options = {"loader_cls": loaders.TextLoader, "loader_kwargs": {"encoding": "utf-8"}}
        documents = [
            document
            for suffix in SUFFIXES
            for document in loaders.DirectoryLoader(str(folder), glob=f"**/*{suffix}", **options).load()
        ]
        store = chroma.from_documents(self._splitter.split_documents(documents), self._embeddings)
        store.delete_collection()
