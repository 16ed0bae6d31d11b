"""The one door to LangChain's chat models: the embedded one, and any other by its name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from rag.errors import ModelError, SettingsError
from rag.generation.embedded import EmbeddedServer
from rag.generation.prompt import RULES, SHORT
from rag.generation.turns import Turn
from rag.settings import Generation

logger = logging.getLogger(__name__)

# Of llama.cpp: words repeated after 6 others are made unlikely ("DRY"), within the last 96 tokens, so that copying
# from the sources, which stand before, is not.
AGAINST_LOOPS = {"dry_multiplier": 0.8, "dry_allowed_length": 6, "dry_penalty_last_n": 96}

# The word that the taught model begins a refusal with is made more likely, in logits, by ``REFUSED_BY`` for each unit
# by which the relevance of what was found stays below ``ANSWERED_FROM``, and less likely above it. The model and the
# search see different things, and together tell better than either: ``tests/quality/DECISIONS.md``, 25.
REFUSAL = "NOT"
REFUSED_BY = 8.0
ANSWERED_FROM = 0.4

# Where what was found is less relevant than this, the question is put in other words than the documents, and the taught
# model reads it wrong more often than right. It then only says whether the sources answer, and they are quoted (28).
WORDED_FROM = 0.45

NONE = "none"  # answers are quotations


class ChatModel(Protocol):
    """Writes text. Contract: ``tests/contracts.py::ChatModelContract``."""

    name: str  # for the record, e.g. "embedded:SmolLM2-135M-Instruct"
    inside: bool  # runs in a process of ours: what it is told does not leave
    rules: str  # what it is told before the sources
    worded_from: float  # relevance from which its wording is used; below, it only says whether the sources answer

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        """Write the next turn, piece by piece. Closing the iterator stops the writing.

        Args:
            relevance: of what is told, 0 to 1. A model that was taught to refuse does so the sooner the lower it is.

        Raises:
            ModelError: it cannot be reached, broke off, or said nothing in time.
        """
        ...

    def close(self) -> None:
        """End what was started for it."""
        ...


class LangChainModel:
    """A chat model behind LangChain's interface."""

    inside = False
    worded_from = 0.0

    def __init__(self, name: str, chat: Any, rules: str = RULES) -> None:
        self.name = name
        self.rules = rules
        self._chat = chat

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        return _streamed(self._chat, turns, self.name)

    def close(self) -> None:
        return None


class EmbeddedModel:
    """The model in the box, through the same interface as a remote one."""

    inside = True

    def __init__(self, server: EmbeddedServer, settings: Generation) -> None:
        self.name = f"embedded:{server.name}"
        self.rules = _rules(settings, trained=server.trained)
        self.worded_from = WORDED_FROM if server.trained else 0.0
        self._server = server
        self._settings = settings

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        endpoint = self._server.endpoint()
        bias = {"logit_bias": [[REFUSAL, refusing(relevance)]]} if self._server.trained else {}
        chat = _openai(self._server.name, f"{endpoint.url}/v1", endpoint.key, self._settings, **AGAINST_LOOPS, **bias)
        try:
            yield from _streamed(chat, turns, self.name)
        except ModelError:
            self._server.doubt()
            raise

    def close(self) -> None:
        self._server.stop()


def refusing(relevance: float) -> float:
    """Logits by which a refusal becomes more likely, for what was found with this relevance."""
    return REFUSED_BY * (ANSWERED_FROM - relevance)


def chat_model(settings: Generation) -> ChatModel | None:
    """The model that the settings name; None for "none". Nothing is contacted yet; the embedded one is started.

    Raises:
        SettingsError: the name is not "embedded", "none" or "provider:name", or the provider's package is missing.
        ModelError: the embedded model cannot be started.
    """
    if settings.model == NONE:
        return None
    if settings.model == "embedded":
        server = EmbeddedServer(trained=settings.trained)
        server.endpoint()
        return EmbeddedModel(server, settings)
    provider, colon, name = settings.model.partition(":")
    if not (provider and colon and name):
        raise SettingsError(
            f'settings: generation.model "{settings.model}" is neither "embedded", "none" nor "provider:name"'
        )
    chat = (
        _openai(name, settings.base_url, settings.api_key.get_secret_value(), settings)
        if provider == "openai"
        else _by_provider(provider, name, settings)
    )
    return LangChainModel(settings.model, chat, _rules(settings, trained=False))


def _rules(settings: Generation, *, trained: bool) -> str:
    return SHORT if settings.prompt == "short" or (settings.prompt == "auto" and trained) else RULES


def _openai(name: str, base_url: str, key: str, settings: Generation, **sampling: object) -> Any:
    """Any endpoint that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, a cloud."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=name,
        base_url=base_url or None,
        api_key=key or "none",  # local servers need none, the client insists
        temperature=settings.temperature,
        max_completion_tokens=settings.max_tokens,
        timeout=settings.first_token_seconds,
        max_retries=0,
        stream_usage=False,
        extra_body=sampling or None,
    )


def _by_provider(provider: str, name: str, settings: Generation) -> Any:
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {"temperature": settings.temperature}
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.api_key.get_secret_value():
        options["api_key"] = settings.api_key.get_secret_value()
    options["num_predict" if provider == "ollama" else "max_tokens"] = settings.max_tokens
    try:
        return init_chat_model(name, model_provider=provider, **options)
    except ImportError as error:
        raise SettingsError(
            f'settings: generation.model: install the package langchain-{provider} to use "{provider}"'
        ) from error
    except Exception as error:
        raise SettingsError(
            f"settings: generation: {provider} refused these settings ({type(error).__name__})"
        ) from error


def _streamed(chat: Any, turns: Sequence[Turn], name: str) -> Iterator[str]:
    """The pieces of one reply. Whatever the provider's client raises may quote the prompt: only its type goes on."""
    pieces = chat.stream(list(turns))
    try:
        for piece in pieces:
            if text := piece.text:
                yield str(text)
    except Exception as error:  # noqa: BLE001 - providers raise what they like
        logger.warning("%s broke off with %s", name, type(error).__name__)
        raise ModelError(f"the model {name} gave no usable reply ({type(error).__name__})") from None
    finally:
        pieces.close()
