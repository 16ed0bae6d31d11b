"""Who does what to whom, where a sentence says it plainly; and whether another has the two the other way round.

There is no grammar here. A deed is read only where nothing but auxiliaries and articles stand between its three parts,
since a false alarm costs more than a miss: "Anna pays Ben", "the tenant must pay the landlord", "Ben is paid by Anna".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.grounding.words import Word, is_negation, split

_BE = split("is are was were be been being wird werden wurde wurden es son fue fueron est sont")
_BY = split("by von por par")
_BEFORE = _BE | split(  # may stand between who does it and what they do
    """
    will would shall should can could may might must has have had do does did also always only then
    kann muss soll darf hat haben puede debe ha han peut doit
    """
)
_ARTICLES = split(
    """
    the a an his her its their our your my this that these those every each any all
    der die das den dem ein eine einen einem einer el la los las un una le les
    """
)
_MUTUAL = split(  # what both do to each other
    """
    marry married marries meet meets met equal equals resemble resembles border borders match matches join joins
    joined contact contacts face faces faced fight fights fought play plays played versus
    """
)
_APART = re.compile(r"[^\w\s'’-]")  # noqa: RUF001 - the apostrophe that word processors write
LONGEST = 3  # words of one part: "the annual leave request"


@dataclass(frozen=True, slots=True)
class Deed:
    """Keys of words; which of several is the head is not known."""

    doer: frozenset[str]
    verb: str
    done_to: frozenset[str]
    start: int  # characters of the text, end exclusive
    end: int
    sentence: int


def deeds(text: str, words: Sequence[Word]) -> list[Deed]:
    found = (_deed(text, words, at) for at in range(1, len(words) - 1))
    return [deed for deed in found if deed]


def exchanged(mine: Sequence[Deed], theirs: Sequence[Deed]) -> tuple[Deed, ...]:
    """Those of ``mine`` that ``theirs`` have the other way round, and never the same way."""
    return tuple(
        deed
        for deed in mine
        if any(_other_way(deed, other) for other in theirs) and not any(_same_way(deed, other) for other in theirs)
    )


def _same_way(one: Deed, other: Deed) -> bool:
    return one.verb == other.verb and bool(one.doer & other.doer and one.done_to & other.done_to)


def _other_way(one: Deed, other: Deed) -> bool:
    return one.verb == other.verb and bool(one.doer & other.done_to and one.done_to & other.doer)


def _deed(text: str, words: Sequence[Word], at: int) -> Deed | None:
    """The deed whose verb stands at ``at``."""
    verb = words[at]
    if not verb.content or verb.capital or verb.text in _MUTUAL:
        return None
    before, passive = _back(text, words, at)
    first, by, article = _forth(text, words, at)
    subject, target = _part(text, words, before, -1), _part(text, words, first, 1)
    if passive != by or not subject or not target:
        return None
    if not article and not all(word.name or word.capital for word in (*subject, *target)):
        return None  # without an article, three nouns in a row look the same
    one, other = (frozenset(word.key for word in part) for part in (subject, target))
    doer, done_to = (other, one) if passive else (one, other)
    if doer & done_to:
        return None
    return Deed(doer, verb.key, done_to, subject[-1].start, target[-1].end, verb.sentence)


def _back(text: str, words: Sequence[Word], at: int) -> tuple[int, bool]:
    """Where the part before the verb ends, and whether a form of "be" stands between."""
    place, passive = at - 1, False
    while place >= 0 and words[place].text in _BEFORE and _joined(text, words, place):
        passive = passive or words[place].text in _BE
        place -= 1
    return (place, passive) if _joined(text, words, place) else (-1, passive)


def _forth(text: str, words: Sequence[Word], at: int) -> tuple[int, bool, bool]:
    """Where the part after the verb begins, whether "by" stands before it, and whether an article does."""
    place, by, article = at + 1, False, False
    while place < len(words) and words[place].text in _BY | _ARTICLES and _joined(text, words, place - 1):
        by, article = by or words[place].text in _BY, article or words[place].text in _ARTICLES
        place += 1
    return (place if _joined(text, words, place - 1) else len(words)), by, article


def _part(text: str, words: Sequence[Word], place: int, step: int) -> list[Word]:
    """The content words from ``place`` on, nearest the verb first."""
    part: list[Word] = []
    while 0 <= place < len(words) and words[place].content and len(part) < LONGEST:
        part.append(words[place])
        if not _joined(text, words, place if step > 0 else place - 1):
            break
        place += step
    return part


def _joined(text: str, words: Sequence[Word], place: int) -> bool:
    """Whether nothing but white space stands between a word and the next, in one sentence, and neither denies."""
    if not 0 <= place < len(words) - 1:
        return False
    one, other = words[place], words[place + 1]
    denies = is_negation(one.text) or is_negation(other.text)
    return one.sentence == other.sentence and not denies and not _APART.search(text[one.end : other.start])
