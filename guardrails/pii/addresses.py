"""Shapes of postal addresses: those alone that say by themselves that they are one.

A street with its number, up to the town where a post code tells where it ends. Expressions of the ``regex`` package, in
which case counts. Every repetition is bounded: the time for a text grows in proportion to its length.
"""

from __future__ import annotations

import re

_WORD = r"\p{Lu}[\p{L}.'\u2019-]{1,25}"
_TOWN = r"(?:St\.[ ])?\p{Lu}[\p{L}'\u2019-]{1,25}"  # or a word of its name
_NEXT = r"(?:,[ ]?|[ ]?[-\u2013|][ ]|,?[ ]?\n[ \t>]{0,4})"  # between the parts of an address
_SPACE = rf"(?:{_NEXT}|[ ])"
_NO_YEAR = r"(?!(?:1[89]|20)\d\d(?!\d))"
_ENDS = r"(?![\d%€$£]|[.,]\d{1,2}(?!\d))"

# German: Musterstr. 12a, 12345 Bad Stadt am Fluss
_HOUSE_DE = (
    rf"\d{{1,3}}(?:[ ]?[a-zA-Z](?![\p{{L}}\d.]))?(?:[ ]?[-/\u2013][ ]?\d{{1,3}}(?:[ ]?[a-zA-Z](?!\p{{L}}))?)?{_ENDS}"
)
_TOWN_DE = (
    r"(?:(?:Bad|Sankt|St\.|Groß|Klein|Neu|Alt|Markt)[ ])?\p{Lu}[\p{L}-]{1,30}"
    r"(?:[ ](?:am|an[ ]der|im|in|bei|ob[ ]der|vor[ ]der|a\.)[ ]?\p{Lu}[\p{L}.-]{1,30})?(?:[ ]\(\p{Lu}\p{L}{1,20}\))?"
)
_TAIL_DE = rf"{_SPACE}(?:(?:D|A|CH)-)?\d{{4,5}}[ ]{_TOWN_DE}"
_STREET_DE = (
    r"(?!(?:Bundes|Landes|Staats|Kreis)str)"
    r"(?:[\p{L}-]{2,40}(?:[sS]tra(?:ß|ss)e|STRASSE|[sS]tr\.?)|\p{Lu}[\p{L}-]{1,30}[ ](?:Stra(?:ß|ss)e|Str\.)"
    r"|Straße[ ]de[rs][ ](?:\d{1,2}\.[ ])?\p{Lu}[\p{L}-]{1,30})"
)
_PLACE_DE = (  # a street only by the town behind it
    r"(?:\p{Lu}[\p{L}-]{1,40}[ -]?(?:[wW]eg|[aA]llee|[pP]latz|[gG]asse|[rR]ing|[dD]amm|[uU]fer|[cC]haussee|[sS]tei?g"
    r"|[gG]raben|[mM]arkt|[bB]erg|[hH]of|[pP]romenade|[wW]all)"
    r"|(?:Am|An|Im|In|Auf|Zu[mr]|Unter|Hinter)[ ](?:de[rnms][ ])?(?:\p{Lu}\p{L}{1,20}en[ ])?\p{Lu}[\p{L}-]{1,30})"
)

# Spanish: C/ Mayor 5, 2º B, 28013 Madrid
_OF_ES = r"(?:(?:de|del|la|las|los|el|y)[ ])"
_PART_ES = r"\p{Lu}[\p{L}.'\u2019\u00b4-]{0,30}"
_NAME_ES = rf"{_OF_ES}{{0,3}}{_PART_ES}(?:[ ]{_OF_ES}{{0,3}}{_PART_ES}){{0,4}}"
_STREET_ES = (
    rf"(?:(?i:calle|avda\.?|avenida|av\.?|plaza|pza\.?|paseo|pº|ctra\.?|ronda|travesía|glorieta|rambla)[ ]{_NAME_ES}"
    rf"|(?i:c/)[ ]?(?:{_NAME_ES}|{_OF_ES}{{0,2}}\p{{L}}{{3,20}}(?:[ ]{_OF_ES}{{0,2}}\p{{L}}{{3,20}})?))"
)
_HOUSE_ES = (
    r",?[ ](?:n[.ºo°]{1,2}[ ]?|núm\.?[ ]?)?"
    rf"(?:{_NO_YEAR}\d{{1,4}}(?:-\d{{1,4}})?(?:[ ]?[A-Z](?!\p{{L}}))?{_ENDS}|[sS]/[nN])"
    r"(?:[,.]?[ ](?:\d{1,2}[ºª°](?:[ ]?(?:[A-Z](?![\p{L}\d])|dcha|izq|izda|derecha|izquierda)\.?)?"
    r"|(?i:bajo|ático)(?:[ ][A-Z](?!\p{L}))?|piso[ ]\d{1,2}|\d{1,2}[ ]?[A-Z](?![\p{L}\d]))){0,2}"
)
_TAIL_ES = rf"[.]?{_SPACE}(?:E-)?\d{{5}}[ ]{_TOWN}(?:[ ]{_OF_ES}{{0,2}}{_TOWN}){{0,3}}"

# French: 12 bis, rue de la Paix, 75002 Paris
_OF_FR = r"(?:(?:de[ ]la|de|du|des|la|le|les|et|sur)[ ]|[dl]['\u2019]|de[ ]l['\u2019])"
_NAME_FR = (
    rf"{_OF_FR}{{0,2}}\p{{Lu}}[\p{{L}}.'\u2019-]{{0,30}}(?:[ ]{_OF_FR}{{0,2}}\p{{Lu}}[\p{{L}}.'\u2019-]{{0,30}}){{0,3}}"
)
_STREET_FR = (
    rf"(?:(?i:rue|avenue|av\.|boulevard|bd\.?|blvd\.?|impasse|quai|chemin|allée|faubourg|place|route)[ ]{_NAME_FR}"
    rf"|(?i:rue|avenue|boulevard|impasse)[ ]{_OF_FR}{{1,2}}\p{{Ll}}[\p{{L}}'\u2019-]{{2,30}})"
)
_TOWN_FR = rf"{_TOWN}(?:[ -]{_OF_FR}{{0,2}}{_TOWN}){{0,3}}(?:(?i:(?<=cedex))[ ]\d{{1,2}})?"
_TAIL_FR = rf"{_SPACE}(?:[FB]-)?\d{{4,5}}[ ]{_TOWN_FR}"

# English: Flat 2, 221B Baker Street, London NW1 6XE; 1600 Amphitheatre Pkwy, Springfield, IL 62701
_KIND = (
    r"(?:Street|St\.?|Road|Rd\.?|Avenue|Ave\.?|Lane|Ln\.?|Boulevard|Blvd\.?|Parkway|Pkwy\.?|Terrace|Crescent)(?!\p{L})"
)
_PIECE = rf"(?:{_WORD}|[NSEW]\.?|\d{{1,3}}(?:st|nd|rd|th))"
_FLAT = r"(?:Flat|Apartment|Apt\.?|Suite|Ste\.?|Unit|Floor|Room|#)[ ]?#?[A-Z]?\d{0,4}[A-Za-z]?(?!\p{L})"
_TOWN_EN = rf"{_TOWN}(?:[ -](?:(?:upon|on|of|the|in|by|le|under)[ -]){{0,2}}{_TOWN}){{0,3}}"
_POST_CODE = r"[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}(?!\w)"
_STATES = (
    r"(?:A[AEKLPRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT"
    r"|V[AT]|W[AIVY])"
)
_REGION = (
    rf"(?:{_STATES}[ ]\d{{5}}(?:-\d{{4}})?(?![\w-])|(?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT)[ ]\d{{4}}(?!\d)"
    r"|(?:AB|BC|MB|N[BLSTU]|ON|PE|QC|SK|YT),?[ ][A-Z]\d[A-Z][ ]?\d[A-Z]\d(?!\w))"
)
_TAIL_EN = rf"(?:{_NEXT}{_TOWN_EN},?[ ]{_REGION}|(?:{_NEXT}{_TOWN_EN}){{0,3}}{_SPACE}{_POST_CODE})"
_TAIL_ANY = rf"(?:{_NEXT}{_TOWN_EN}){{1,3}},?[ ]\d{{5}}(?![\d%]|[.,]\d)"  # of any country; only behind a sure street
_NUMBER_EN = r"\d{1,5}(?:[ ]?[A-Za-z](?![\p{L}\d]))?(?:-\d{1,4})?"
_BOX = r"(?:P\.?[ ]?O\.?[ ]?|Post[ ]Office[ ])(?i:box)[ ]\d{1,6}(?!\d)"

_STARTS = r"(?<![\p{L}\d.,/$€£#-])(?<!\d[ ])"
WITH_TOWN = (
    rf"{_STARTS}(?:(?:{_STREET_DE}|{_PLACE_DE})[ ]?{_HOUSE_DE}{_TAIL_DE}"
    rf"|{_STREET_ES}{_HOUSE_ES}{_TAIL_ES}"
    rf"|\d{{1,4}}(?:[ ]?(?:bis|ter|quater|[A-D])(?!\p{{L}}))?,?[ ]{_STREET_FR}{_TAIL_FR}"
    rf"|(?i:rue|avenue|boulevard|chemin|quai)[ ]{_NAME_FR},?[ ]\d{{1,3}}[a-z]?{_TAIL_FR}"
    rf"|(?:{_FLAT},?[ ])?{_NUMBER_EN}(?:[ ]{_PIECE}){{1,6}}(?:{_SPACE}{_FLAT})?{_TAIL_EN}"
    rf"|(?:(?:{_FLAT},?[ ])?{_NUMBER_EN}(?:[ ]{_PIECE}){{1,3}}[ ]{_KIND}|{_BOX})(?:{_SPACE}{_FLAT}){{0,2}}{_TAIL_ANY}"
    rf"|{_BOX}{_TAIL_EN}|Postfach[ ]\d[\d ]{{1,7}}\d{_TAIL_DE}|B\.?P\.?[ ]\d{{1,5}}{_TAIL_FR}"
    r"|(?:PSC|CMR|Unit)[ ]\d{1,5},?[ ]Box[ ]\d{1,5},?\s(?:[AFD]PO),?[ ]A[AEP][ ]\d{5})(?<!\.)"
)
STREET = (
    rf"{_STARTS}(?:{_STREET_DE}[ ]?{_HOUSE_DE}|{_STREET_ES}{_HOUSE_ES}"
    rf"|{_NO_YEAR}\d{{1,4}}(?:[ ]?(?:bis|ter|quater)(?!\p{{L}}))?,?[ ]{_STREET_FR}"
    rf"|(?:{_FLAT},?[ ])?{_NO_YEAR}{_NUMBER_EN}(?:[ ]{_PIECE}){{1,3}}[ ]{_KIND}(?:,?[ ]{_FLAT})?"
    rf"|{_BOX}|(?:Postfach|Apartado[ ](?:de[ ]correos|postal)|[Bb]oîte[ ]postale)[ ]\d[\d ]{{0,6}}\d)(?<!\.)"
)
# What stands in a form behind "Address:", up to the end of the line.
ON_A_FORM = (
    r"(?m)^[ \t>*|-]{0,4}"
    r"(?i:(?:(?:home|postal|mailing|street|billing|delivery|shipping|residential|current)[ ])?address"
    r"|(?:wohn|post|liefer|rechnungs|heimat)?(?:adresse|anschrift)|adresse[ ]postale|wohnhaft|domicile"
    r"|domicilio|dirección(?:[ ]postal)?)[ \t]{0,2}:[ \t]{0,20}"
    r"(?P<value>[^\s:@|][^\n:@|]{4,120}(?<![\s.,;]))(?=[ \t.,;]{0,4}$)"
)


def on_a_form(value: str) -> bool:
    """A house's number beside a word: no address of a page, a network or a memory."""
    return bool(re.search(r"(?<![\w.])\d{1,5}[A-Za-z]?(?![\w.]\w)", value) and re.search(r"\b[^\W\d]{2,}\b", value))
