"""Canonical text: what is folded and what is left alone, the way back to the original, and what it costs."""

# ruff: noqa: RUF001 - what looks like another character is what is tested here

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.canonical import AROUND, DEPTH, Folded, fold, views
from guardrails.pii import Detector
from tests.quality.disguises import DISGUISES, covered

DETECTOR = Detector()
GUESSES = 3  # steps after the unmistakable one

MAIL, CARD = "anna.weiss@example.org", "4012 8888 8888 1881"
HOSTILE = st.text(
    st.sampled_from(
        "aAe1 4@.-_=+%&#;x\\u0<>[](){}*`~/|,:\n\r\t\u200b\u00ad\u202e\u202c\ufe0f\uff21\uff14\u0430\u0301\u0336\u00a0"
    ),
    max_size=120,
)
ENCODED = st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace").hex())
TEXTS = st.one_of(
    st.text(max_size=200),
    HOSTILE,
    ENCODED,
    st.tuples(st.sampled_from(sorted(DISGUISES)), st.sampled_from((MAIL, CARD)), HOSTILE).map(
        lambda parts: f"{parts[2]} {DISGUISES[parts[0]](parts[1], 'en')} {parts[2]}"
    ),
)


def last(text: str) -> str:
    """How the text reads with every fold; as it is where it has only one view."""
    return [view.text for view in views(text)][-1]


@given(TEXTS)
@example("\xa0\n0")  # white space that is neither a space nor a line's end
@example("0\n\x85")
@settings(max_examples=200, deadline=None)
def test_the_way_back_never_falls_and_stays_inside(text: str) -> None:
    for view in (*views(text), fold(text)):
        assert len(view.text) == len(view.begins) == len(view.ends)
        assert list(view.begins) == sorted(view.begins)
        assert list(view.ends) == sorted(view.ends)
        assert all(0 <= start < end <= len(text) for start, end in zip(view.begins, view.ends, strict=True))


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_a_character_that_was_not_replaced_is_the_one_it_comes_from(text: str) -> None:
    for view in views(text):
        for character, start, end in zip(view.text, view.begins, view.ends, strict=True):
            assert end - start > 1 or character == text[start] or fold(text[start]).text in (character, text[start])


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_the_first_view_is_the_text_and_the_others_are_few(text: str) -> None:
    first, *others = views(text)
    assert (first.text, first.begins, first.ends) == (text, range(len(text)), range(1, len(text) + 1))
    assert sum(len(view.text) for view in others) <= (GUESSES + 1) * 4 * len(text)


@given(st.sampled_from(sorted(DISGUISES)), st.text("abc ", max_size=300), st.text("abc ", max_size=300))
@settings(max_examples=80, deadline=None)
def test_what_hides_the_span_of_a_folded_value_hides_the_disguised_one(name: str, before: str, after: str) -> None:
    hidden = DISGUISES[name](MAIL, "en")
    text = f"{before} Mail: {hidden} : {after}"
    start = len(before) + 7
    found = DETECTOR.detect(text)
    assert covered(found, text, start, start + len(hidden))
    redacted = text
    for value in reversed(found):
        redacted = redacted[: value.start] + "|" + redacted[value.end :]
    assert hidden not in redacted
    assert all(MAIL not in view.text for view in views(redacted))


ORDINARY = (
    "The annual leave policy grants 25 days. See chapter 3.4, or ask the office!",
    "Jürgen aß im Café Übersee für 12,50 Euro; „schön“, sagte er – und ging … §",
    "Москва, улица Ленина, дом 12, подъезд 3: «Он сказал, что в 2019 году…» СССР и США.",
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας· το 2004 έγιναν εκεί οι Ολυμπιακοί Αγώνες.",
    "في المدينة القديمة سوق كبير، ويأتي إليه الناس كل يوم.",
    "我们昨天在北京见面。他说：“合同已经签了”，所以大家都很高兴！",
    "これは普通の文章です。会議は三時に始まります。",
    "בית הספר נמצא ליד התחנה, והוא נפתח בשמונה בבוקר.",
    "- one\n- two\n\n1. First\n2. Second\n\n**Note:** see `install` and _this_ word.",
    "def f(a, b): return a * b  # snake_case_name, x = [1, 2, 3]",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "internationalisation of telecommunications\nand counterrevolutionaries at this point it is",
    "❤️ and 👨‍👩‍👧 and ½ and 20 ° C",
    "",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_has_one_view_and_is_its_own_fold(text: str) -> None:
    assert [view.text for view in views(text)] == [text]
    assert fold(text) == Folded(text, range(len(text)), range(1, len(text) + 1))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        # encodings
        ("a%40b", "a@b"),
        ("a%C3%A9b %FF %C3%28 %C0%80 100%", "aéb %FF %C3( %C0%80 100%"),
        ("a%2540b", "a@b"),
        ("a%25252540b", "a%40b"),  # one more than is taken off
        ("a=40b a=41b a=\nb =C3=A9", "a@b a=41b ab é"),
        ("a&commat;b &#64;&#x40 &copy=1 &nonsense;", "a@b @@ &copy=1 &nonsense;"),
        ("a\\u0040b\\x40c \\ud800 \\n", "a@b@c \\ud800 \\n"),
        ("x YW5uYUBtYWlsLmRl y", "x anna@mail.de y"),
        ("x YW5uYUBtYWlsLmRlIQ== y", "x anna@mail.de! y"),
        ("/u/YW5uYUBtYWlsLmRl/x", "/u/anna@mail.de/x"),
        ("x QUJDREVGRw! AAAAAAAAAAA 00000000000 y", "x ABCDEFG! AAAAAAAAAAA 00000000000 y"),
        ("x YQBuAG4AYQBAAHgALgBkAGUA y", "x anna@x.de y"),  # UTF-16
        (
            "VGhpcyBpcyBhIGxvbmcgbGluZSBvZiB0ZXh0IHRoYXQg\naXMgd3JhcHBlZA==",
            "This is a long line of text that is wrapped",
        ),
        ("x MFXG4YKANVQWS3BOMRSQ==== ABCDEFGHIJKLMNOPQ y", "x anna@mail.de ABCDEFGHIJKLMNOPQ y"),  # base32
        ("616e6e61406d61696c2e6465", "anna@mail.de"),
        ("61:6e:6e:61:40:6d, 0x616e6e61406d, 616e6e61406", "anna@m, anna@m, 616e6e61406"),
        ("ffffffffffff d41d8cd98f00b204e9800998ecf8427e", "ffffffffffff d41d8cd98f00b204e9800998ecf8427e"),
        ("97 110 110 97 64 109", "anna@m"),
        ("52 48 49 50 56 56", "401288"),
        ("34 30 31 32 38 38", "401288"),  # hexadecimal
        ("10 20 30 40 50 60 70 and 200 300 400 500 600 700", "10 20 30 40 50 60 70 and 200 300 400 500 600 700"),
        # characters
        ("a\U000e0041\U000e0042 b", "aAB b"),
        (
            "x" + "".join(chr(0xE00F0 + ord(c)) for c in "anna") + " \ufe00\ufe01\ufe02\ufe03",
            "xanna \ufe00\ufe01\ufe02\ufe03",
        ),
        ("\u202eed.liam@anna\u202c ok \u202e", "anna@mail.de ok \u202e"),
        ("an\u200b\u2060na \u200b \u200b1", "anna \u200b 1"),
        ("a\x00b\x08c", "abc"),
        ("ｈｔｔｐ：／／ａ．ｄｅ", "http://a.de"),
        ("４０１２ 𝟒𝟎 ④ ٤٠ ४०", "4012 40 4 40 40"),
        ("𝐚𝓃𝔫𝕒 ⓐ ᴀɴɴᴀ ﬁ №", "anna a anna fi No"),
        ("078\u201105\u20131123 a \u2013 b", "078-05-1123 a \u2013 b"),
        ("4012\u00a08888 \u00e0\u00a0: nº", "4012 8888 \u00e0\u00a0: nº"),
        ("4\ufe0f\u20e30\ufe0f\u20e3", "40"),
        ("4\u03360\u0336 e\u0301 \u4e2d\u0301", "40 é \u4e2d\u0301"),
        ("аnna@mаil.de", "anna@mail.de"),
        ("Иван123 сор АВ1234567", "Иван123 сор AB1234567"),
        ("асе@ох.рс", "ace@ox.pc"),
    ],
)
def test_unmistakable_folds_and_their_near_misses(text: str, folded: str) -> None:
    assert fold(text).text == folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        # spaced letters
        ("is a n n a @ m a i l now", "is anna@mail now"),
        ("is 4-0-1-2-8 now, x|y|z|1|2.", "is 40128 now, xyz12."),
        ("D E 8 9   3 7 0 4", "DE89 3704"),
        ("D-E-8-9- -3-7-0-4", "DE89 3704"),
        ("0-7-8---0-5", "078-05"),
        ("take a 4 0 1 2 8 8 8 8 y", "take a 40128888 y"),
        ("code 4 0 1 2 and on", "code 4012 and on"),
        ("x 1 2, - - - - - -, a b", "x 1 2, - - - - - -, a b"),
        # layout
        ("**555**-01 and 55`5`", "555-01 and 555"),
        ("__555__ _555_-1 a_b_c", "555 555-1 a_b_c"),
        ("anna\\@mail\\.de a\\nb", "anna@mail.de a\\nb"),
        ("5<b>5</b>5 <!-- --> <i x", "555  <i x"),
        ("an\U0001f600na \U0001f600 na", "anna \U0001f600 na"),
        ("Dr. **Anna** Weiss", "Dr. Anna Weiss"),
        ("no **1", "no 1"),
        ("tel 030 231-\n25 123", "tel 030 23125 123"),
        ("ssn 078-05-\n1123", "ssn 078-05-1123"),
        ("tel 030\n> > 231", "tel 030231"),
        ("ip 192.168.\n20.7", "ip 192.168.20.7"),
        ("ip 192\n.168", "ip 192.168"),
        ("iban GB82 WEST\n1234", "iban GB82 WEST1234"),
        ("sk-proj-abcdef\nghij", "sk-proj-abcdefghij"),
        ("Schwar-\nzenegger", "Schwarzenegger"),
        ("Dr. Anna\nWeiss", "Dr. Anna Weiss"),
        ("anna@\nmail.de", "anna@mail.de"),
        ("anna@mai\nl.de", "anna@mail.de"),
        ("anna\n@mail.de", "anna@mail.de"),
        ("https://a.de/x/\ny", "https://a.de/x/y"),
        ("https://a\n.de", "https://a.de"),
        ("anna@mail.de\nThanks", "anna@mail.de\nThanks"),
        ("to\nanna@mail.de", "to\nanna@mail.de"),
        ("https://a.de/x\nThen", "https://a.de/x\nThen"),
        ("inter-\nnational\n\nword\nword \n1", "inter-\nnational\n\nword\nword \n1"),
        # words for signs
        ("anna (at) mail [dot] de", "anna@mail.de"),
        ("a {@} b, 3 (a) b", "a@b, 3@b"),
        ("hxxps://a[.]de", "https://a.de"),
        ("xx (dot) ", "xx (dot) "),
        ("write anna at mail dot de now", "write anna@mail.de now"),
        ("write anna dot weiss arroba mail punto de now", "write anna.weiss@mail.de now"),
        ("write jo underscore smith AT mail.de now", "write jo_smith@mail.de now"),
        ("write anna @ mail . de now", "write anna@mail.de now"),
        ("look at the dot com, or at mail.de", "look at the dot com, or at mail.de"),
        ("à (é) at mail dot", "à (é) at mail dot"),
        ("ip 192 dot 168 Punkt 20", "ip 192.168.20"),
        ("ssn 078 dash 05 gui\u00f3n 1123", "ssn 078-05-1123"),
        ("www dot example dot org", "www.example.org"),
        ("call plus four nine drei null", "call +4930"),
        ("one two three, and one or two or three or four", "one two three, and one or two or three or four"),
        ("one two three x and four", "one two three x and four"),
        ("E one two three four", "E1234"),
        ("; (at) b", "; (at) b"),
        ("a" * 200 + " AT mail.de", "a" * 200 + " AT mail.de"),
        ("dot zero one two drei dash", ".0123-"),
    ],
)
def test_guesses_and_their_near_misses(text: str, folded: str) -> None:
    assert last(text) == folded


def test_a_value_from_an_encoded_run_comes_from_the_whole_run() -> None:
    text = "see bWFpbCBhbm5hQHgubmV0IG5vdw== there"
    view = fold(text)
    at = view.text.index("anna@x.net")
    start, end = view.original(at, at + 10)
    assert text[:start] + text[end:] == "see  there"


def test_what_is_not_displayed_inside_a_value_belongs_to_it() -> None:
    view = fold("x a\u200bn\u200bn\u200ba y")
    assert view.original(view.text.index("anna"), view.text.index("anna") + 4) == (2, 9)


def test_encodings_inside_each_other_are_taken_off_to_a_bounded_depth() -> None:
    text = "@"
    for _ in range(DEPTH):
        text = "".join(f"%{ord(sign):02X}" for sign in text)
    assert fold(text).text == "@"
    assert fold("".join(f"%{ord(sign):02X}" for sign in text)).text == "%40"


def test_a_further_view_is_a_stretch_around_what_changed() -> None:
    text = "word " * 500 + "a%40b " + "word " * 500 + "c%40d " + "word " * 10
    first, one, other = views(text)
    assert first.text == text
    assert "a@b" in one.text
    assert "c@d" in other.text
    assert one.text.startswith("word")
    assert len(one.text) < 2 * AROUND + 20
    assert text[slice(*one.original(0, len(one.text)))].strip() == one.text.replace("@", "%40").strip()


def test_a_stretch_does_not_cut_a_long_word_in_two() -> None:
    text = "x " * 300 + "https://example.org/" + "p" * 900 + "%40" + "q" * 900 + " y" * 300
    stretch = list(views(text))[1]
    assert "/" + "p" * 900 + "@" + "q" * 900 + " " in stretch.text + " "


UNITS = (
    "a-", "1 ", "1-", "AB12 ", "a @ b . ", "a at b dot c ", "one ", "- one ", "%41", "%2541", "=\n", "&#97;",
    "YWJj", "4a ", "\u200b", "a\u200b", "\uff41", "\u202ea", "\u0430a", "a\u0336", "**a", "1\n", "a[at]", "\\u0041",
    "\U000e0041", "\ufe0f", "<b", "<!--", "_ ", "a\n> ", "Dr. **a", "www dot a ", "\x00", "\u33c2", "65 ", "aa:",
    "A" * 70 + "\n", "ABCDEF",
)  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_a_hostile_text_takes_time_in_proportion(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    begun = time.thread_time()
    folded = list(views(text))
    assert time.thread_time() - begun < 3  # a fifth of a second on a quiet machine
    assert sum(len(view.text) for view in folded) <= (1 + 4 * (GUESSES + 1)) * len(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["a-", "1\n", "\uff41", "a at b dot c ", "%2541", "a b\u200b@%40&#64; 1 2 3\n> **4**-\n"]
)
def test_a_hostile_megabyte_takes_seconds(unit: str) -> None:
    begun = time.thread_time()
    list(views((unit * 1_000_000)[:1_000_000]))
    assert time.thread_time() - begun < 30
