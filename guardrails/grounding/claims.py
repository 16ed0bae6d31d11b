"""Whether a sentence claims anything that could be supported at all."""

from __future__ import annotations

import re

_SOURCES = (
    r"(?:the\s|these\s|those\s|your\s|my\s)?(?:given\s|provided\s|available\s|retrieved\s|above\s|following\s)?"
    r"(?:passages?|sources?|documents?|contexts?|excerpts?|text|texts|information|articles?)"
    r"(?:\s(?:given|provided|above|available|i\s(?:have|found)))?"
)
_POLITE = (
    # greetings and thanks
    r"(?:hello|hi|hey|dear\s\w+|good\s(?:morning|day|afternoon|evening)|greetings)(?:\s(?:there|again|everyone))?",
    r"(?:thanks|thank\syou)(?:\s(?:so|very)\smuch)?(?:\sfor\s(?:asking|your\s(?:question|message|patience|interest)))?",
    r"(?:you\sare|you're)\s(?:very\s|most\s)?welcome|my\spleasure|(?:no\sproblem|sure|certainly|of\scourse|great\squestion)",
    # closing words
    r"i\s(?:really\s)?hope\s(?:that\s|this\s|it\s){1,2}(?:information\s)?(?:helps|was\shelpful|answers\syour\squestions?)(?:\syou)?",
    r"(?:please\s)?(?:let\sme\sknow|feel\sfree\sto\s(?:ask|reach\sout)|do\snot\shesitate\sto\sask)(?:\s[\w']+){0,10}",
    r"if\syou\shave\s(?:any\s)?(?:more|further|other|additional)?\s?questions?,?\s(?:please\s)?(?:let\sme\sknow|(?:feel\sfree\sto\s)?ask)(?:\s\w+){0,4}",
    r"is\sthere\sanything\selse(?:\s\w+){0,8}",
    r"(?:would|do|can|could|shall|may)\s(?:you|i)\s(?:like|want|help|need)(?:\s[\w']+){0,10}\?",
    # announcing what follows
    r"here\s(?:is|are|'s)\s(?:what|some|the|an?)(?:\s\w+){0,6}",
    r"(?:based\son|according\sto|from)\s(?:the|these|your)\s(?:\w+\s){0,2}(?:documents?|sources?|passages?|information|context)(?:\s(?:provided|above|i\sfound))?",
    r"(?:in\s(?:summary|short|conclusion|other\swords)|to\ssum(?:marise|marize)?(?:\sup)?|sources?|answer|note)",
    r"i\s(?:found|looked\sup)\sthe\sfollowing(?:\s\w+){0,6}",
    # of the talk itself
    r"(?:yes|no),?\s(?:you\sare|you're|that\sis|that's)\s(?:right|correct|true)|(?:that\sis|that's)\s(?:right|correct|not\s(?:true|correct|right))",
    r"(?:i\s(?:apologi[sz]e|am\ssorry)|i'm\ssorry|(?:my\s)?apologies|sorry)(?:\sfor\s(?:any|the|my)\s(?:confusion|error|mistake|misunderstanding|inconvenience))?",
    r"i\sunderstand(?:\s(?:your|the)\s(?:question|confusion|concern))?",
    # that the sources do not say: what is absent stands in no passage
    rf"(?:(?:unfortunately|however|but)\s)?{_SOURCES}\s(?:do|does|did)(?:\snot|n't)\s(?:\w+\s)?(?:mention|say|state|specify|include|contain|provide|give|cover|answer|address)(?:\s[\w'-]+){{0,16}}",
    rf"(?:i\sam\s|i'm\s)?(?:unable|not\sable)\sto\sanswer(?:\s(?:this|the|your)\squestion)?(?:\s(?:based\son|from|with)\s{_SOURCES})?",
    # German, Spanish, French
    r"(?:guten\s(?:tag|morgen|abend)|hallo|gerne?(?:\sgeschehen)?|(?:vielen\s)?dank(?:e)?(?:\sfür\s\w+\s\w+)?|natürlich)",
    r"ich\shoffe,?\sdas\shilft(?:\s\w+){0,3}|(?:hier\s(?:ist|sind|finden\ssie)|folgendes\shabe\sich)(?:\s\w+){0,6}",
    r"(?:bei|falls\ssie)\s(?:weiteren\s|noch\s)?fragen(?:\s\w+){0,8}",
    r"(?:hola|buenos\sdías|gracias(?:\spor\s\w+\s\w+)?|de\snada|claro)|espero\sque\s(?:esto\s)?(?:le|te)\s(?:ayude|sirva)",
    r"(?:bonjour|merci(?:\sbeaucoup)?|de\srien|bien\ssûr)|j'espère\sque\scela\s(?:vous|t')\s?aide",
    r"(?:aquí\s(?:está|están|tiene)|voici)(?:\s\w+){0,6}",
)
_NOTHING = re.compile(rf"(?:{'|'.join(_POLITE)})", re.IGNORECASE)
# Where a sentence says that it stands, and the number of an item in a list: no part of what it claims.
_MONTH = r"(?:januar|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember)\b"  # "12. Juni"
_FRAME = re.compile(
    rf"(?:^|(?<=\n))[ \t]*(?:\(?\d{{1,2}}[.)]|[a-z]\))(?=\s(?!{_MONTH}))"
    rf"|\b(?:based\son|according\sto|as\s(?:stated|mentioned|described|noted|said)\sin)\s{_SOURCES}"
    rf"(?:\s#?\d{{1,2}}(?:(?:,\s|\sand\s|,\sand\s|\s&\s)\d{{1,2}})*)?,?"
    rf"|[(\[](?:see\s|from\s|source:?\s)?(?:passage|source|document|excerpt)s?\s#?\d{{1,2}}(?:(?:,\s|\sand\s|,\sand\s|\s&\s)\d{{1,2}})*[)\]]"
    rf"|\b(?:passage|source|document|excerpt)s?\s\d{{1,2}}(?:(?:,\s|\sand\s|,\sand\s|\s&\s)\d{{1,2}})*(?=\s(?:say|state|mention|note|explain|describe|add|provide|suggest)s?\b)",
    re.IGNORECASE,
)
_MARKS = " \t\r\n.,;:!…*_#>|-–—\"'“”‘’()[]"  # noqa: RUF001 - marks as they are written
_DIGIT = re.compile(r"\d")


def claims_nothing(sentence: str) -> bool:
    """Politeness, an announcement, a bare heading mark or list number: neither right nor wrong."""
    bare = sentence.replace("’", "'").strip(_MARKS)  # noqa: RUF001 - the apostrophe that word processors write
    if not any(character.isalpha() for character in bare):
        return not _DIGIT.search(bare) or bool(re.fullmatch(r"\d{1,2}", bare))
    parts = re.split(r"\s*[,!:]\s+", " ".join(bare.split()))
    return bool(_NOTHING.fullmatch(" ".join(bare.split()))) or all(_NOTHING.fullmatch(part) for part in parts)


def claim_of(sentence: str) -> str:
    """The sentence with spaces in place of what it says about where it stands ("According to passage 2,") and of the
    number of an item; every character keeps its place."""
    return _FRAME.sub(lambda frame: " " * len(frame[0]), sentence)
