"""Reads a text as words: where each stands, what it is compared by, and which of them say something.

English, German, Spanish and French share one set of function words; a text need not say which language it is in.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import zip_longest


def split(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


FUNCTION_WORDS = split(
    """
    a an the this that these those it its he him his she her hers they them their theirs we us our ours you your
    yours i me my mine who whom whose which what where when why how there here and or but nor so yet if then than as
    of at by for from in into on onto to with within about over under up down out off between during through per via
    be is are was were been being am do does did done doing have has had having will would shall should can could
    may might must let also too very just only even such some any each every all both other another more most less
    least own same now again once s t re ve ll d m one ones itself himself herself themselves because while although
    though since until however therefore thus well yes
    der die das den dem des ein eine einer eines einem einen und oder aber sondern wenn dann als wie von vom zu zum
    zur bei beim für aus in im ins an am auf mit nach vor über unter zwischen durch um bis seit ist sind war waren
    sein gewesen wird werden wurde wurden worden hat haben hatte hatten kann können konnte muss müssen soll sollen
    sollte darf dürfen es er sie ihr ihre ihren wir uns unser ich mir mich mein du dir dich sich man was wer wo wann
    warum welche welcher welches dieser diese dieses jeder jede jedes alle auch noch nur schon sehr mehr so da dass
    weil denn doch etwa ja
    el la los las un una unos unas y e o u pero si de del al a en con por para sobre entre desde hasta es son era
    eran fue fueron ser sido está están estar ha han había haber hay lo le les se su sus me mi te tu nos que qué
    quien cual como cuando donde más muy también ya este esta estos estas ese esa eso cada todo toda todos todas
    le la les un une des et ou mais si de du d l au aux en dans avec par pour sur sous entre depuis est sont était
    étaient être été a ont avait avoir il elle ils elles on nous vous je j me se sa son ses leur leurs ce cet cette
    ces qui que quoi dont où quand comme plus très aussi tout toute tous toutes chaque y c qu
    """
)
NEGATIONS = split(
    """
    no not none never neither nor without cannot nobody nothing nowhere hardly n't
    nicht kein keine keiner keines keinem keinen nie niemals niemand nichts ohne weder nirgends
    nunca sin ningún ninguno ninguna nadie nada jamás tampoco
    pas jamais sans aucun aucune personne rien ni non
    """
)
# Before a name at the start of a sentence, and no part of it: "Call Anna Weiss".
BEFORE_NAMES = split(
    """
    add according apply ask book bring call check choose click consult contact copy despite download e-mail email enter
    fill find follow following forward get give hand include including inform install join let like log meet message
    near notify open phone press print read remind report request return ring search see select send sign speak start
    submit take talk tell text thank turn unlike upload use using visit write
    appelez contactez demandez écrivez voyez llame contacte pregunte escriba consulte
    """
)
GERMAN_MARKS = split("der die das und ist nicht ein eine den dem für mit")  # where every noun has a capital

_WORD = re.compile(r"\w+(?:[’'.-]\w+)*", re.UNICODE)  # noqa: RUF001 - the apostrophe that word processors write
_ENDINGS = re.compile(
    r"(?:'s|s'|(?<=[^aeiou])ies|(?<=[sxz])es|(?<=[cs]h)es|ings?|edly|ed|(?<=\w\w\w\w)ly|(?<=\w\w\w)e[nmrs]|(?<=\w\w\w)[esn])$"
)
_DOUBLED = re.compile(r"([bdfglmnprt])\1$")
_SENTENCE_END = re.compile(r"[.!?…]+[\"')\]”’]*\s|\n")  # noqa: RUF001 - closing marks as they are written


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text."""

    start: int  # characters, end exclusive
    end: int
    text: str  # case-folded
    key: str  # what it is compared by: without accents and inflection
    content: bool  # says something; function words, negations and numbers do not count
    capital: bool
    name: bool  # written like a name
    sentence: int  # index of the sentence it stands in


def words(text: str) -> list[Word]:
    """The words of ``text`` in order. Numbers are words too, and never content."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    found: list[Word] = []
    sentence = 0
    first = True
    german = len(GERMAN_MARKS & set(text.casefold().split())) > 1
    for match in _WORD.finditer(text):
        while sentence < len(ends) and match.start() >= ends[sentence]:
            sentence, first = sentence + 1, True
        found.append(_word(match, sentence, first=first, german=german))
        first = False
    return [_named(word, following) for word, following in zip_longest(found, found[1:])]


def _named(word: Word, following: Word | None) -> Word:
    """A sentence's first word is part of a name when a name follows directly: "Bob Miller", not "Call Bob"."""
    begins = word.content and word.capital and not word.name and word.text not in BEFORE_NAMES
    named = begins and following is not None and following.name and following.start - word.end == 1
    return replace(word, name=True) if named else word


def _word(match: re.Match[str], sentence: int, *, first: bool, german: bool) -> Word:
    written = match[0]
    folded = written.casefold().replace("’", "'")  # noqa: RUF001 - the apostrophe that word processors write
    numeric = written[0].isdecimal()
    content = not numeric and not is_negation(folded) and folded not in FUNCTION_WORDS and not folded.startswith("i'")
    capital = written[0].isupper() and (not first or written.isupper())
    name = content and capital and not german and len(written) > 1
    return Word(match.start(), match.end(), folded, key(folded), content, written[0].isupper(), name, sentence)


def is_negation(folded: str) -> bool:
    return folded in NEGATIONS or folded.endswith("n't")


def key(folded: str) -> str:
    """A word without accents and inflection: "policies", "policy's" and "policy" are one, "zahlt" and "zahlte" not."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    if len(plain) < 4 or plain[0].isdecimal():
        return plain
    cut = _ENDINGS.sub("", plain)
    if len(cut) > 3:
        cut = _DOUBLED.sub(r"\1", cut)
    bare = cut.rstrip("iey")
    return bare if len(bare) > 2 else cut
