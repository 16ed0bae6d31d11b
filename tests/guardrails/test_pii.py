"""Personal data: what is found and what is left alone, side by side; where values come from; cost."""

from __future__ import annotations

import socket
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import presidio_analyzer.predefined_recognizers as predefined
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import EntityRecognizer

from guardrails.pii import DetectionTimeout, Detector, PiiGuard
from guardrails.pii.detect import WINDOW, _Strict, reading
from guardrails.pii.detection import WEAK
from guardrails.pii.patterns import RULES
from guardrails.pii.recognizers import COMPANIES, OFF, USED
from guardrails.types import Context, Evidence, Origin
from tests.contracts import GuardContract

DETECTOR = Detector()
PATTERNS = Detector(names=False)


def found(text: str) -> list[tuple[str, str]]:
    """By the patterns; `test_names.py` looks at the tagger."""
    return [(value.label, text[value.start : value.end]) for value in PATTERNS.detect(text)]


class TestPiiGuardContract(GuardContract):
    bad = (
        "Write to anna.weiss@example.org.",
        "My IBAN is DE89 3704 0044 0532 0130 00.",
        "Ring me on +41 44 555 01 99 after five.",
        "Passport number AB1234567, born on 12 March 1984.",
    )
    good = (
        "The annual leave policy grants 25 days.",
        "Version 10.2.1.5 was released with order 48812345.",
        "The budget is 1 200 000 euro for 2024 and 2025.",
    )

    @pytest.fixture
    def guard(self) -> PiiGuard:
        return PiiGuard(DETECTOR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # cards, accounts, wallets: the check digits decide
        ("Card 4012-8888-8888-1881 was charged.", [("CREDIT_CARD", "4012-8888-8888-1881")]),
        ("Card 4012-8888-8888-1882 was charged.", []),
        ("It is my card number 630427373398.", [("CREDIT_CARD", "630427373398")]),
        ("It is order number 630427373398.", []),
        ("IBAN GB82 WEST 1234 5698 7654 32, please.", [("IBAN_CODE", "GB82 WEST 1234 5698 7654 32")]),
        ("IBAN GB83 WEST 1234 5698 7654 32, please.", []),
        ("IBAN SD21 2901 0501 2340 01, please.", [("IBAN_CODE", "SD21 2901 0501 2340 01")]),
        ("IBAN SD22 2901 0501 2340 01, please.", []),
        ("RU0304452522540817810538091310419", [("IBAN_CODE", "RU0304452522540817810538091310419")]),
        ("Account number 12345678 at our bank.", [("US_BANK_NUMBER", "12345678")]),
        ("Reference 12345678 at our desk.", []),
        # e-mail, network, web
        ("Mail x.y+z@sub.example.co.uk now", [("EMAIL_ADDRESS", "x.y+z@sub.example.co.uk")]),
        ("Meet me @ the office, 5@10 each", []),
        ("Device AA:BB:CC:DD:EE:FF is new", [("MAC_ADDRESS", "AA:BB:CC:DD:EE:FF")]),
        ("Sent to FF:FF:FF:FF:FF:FF and AA:BB:CC", []),
        ("Host 192.168.20.7 is down", [("IP_ADDRESS", "192.168.20.7")]),
        ("Version 1.2.3.4 is out", []),
        ("MAC 00:1B:44:11:3A:B7 was seen", [("MAC_ADDRESS", "00:1B:44:11:3A:B7")]),
        ("See https://example.org/a?b=c.", [("URL", "https://example.org/a?b=c")]),
        ("See notes.md and the end.Then go", []),
        (
            "https://example.org/?to=a.b@example.com",
            [("URL", "https://example.org/?to=a.b@example.com"), ("EMAIL_ADDRESS", "a.b@example.com")],
        ),
        # phones
        ("Call +49 (0)30 23125 123 today", [("PHONE_NUMBER", "+49 (0)30 23125 123")]),
        ("Tel.: 030 23125 123", [("PHONE_NUMBER", "030 23125 123")]),
        ("Teléfono: 913 368 000", [("PHONE_NUMBER", "913 368 000")]),
        ("Appelez le 06 12 34 56 78.", [("PHONE_NUMBER", "06 12 34 56 78")]),
        ("Her mobile is 07700 900 123.", [("PHONE_NUMBER", "07700 900 123")]),
        ("(415) 555-0132 is hers", [("PHONE_NUMBER", "(415) 555-0132")]),
        ("Durchwahl 4471 ist neu", [("PHONE_NUMBER", "4471")]),
        (
            "Call +44 20 7946 0123, home 02079460124",
            [("PHONE_NUMBER", "+44 20 7946 0123"), ("PHONE_NUMBER", "02079460124")],
        ),
        ("Call +44 20 7946 0123 about parcel no. 4, 02079460124", [("PHONE_NUMBER", "+44 20 7946 0123")]),
        ("From 913 368 000 inhabitants", []),
        ("A phone budget of 1 000 000 euro", []),
        ("Tell me about 1234567 of them", []),
        # births against other dates
        ("She was born on 12.03.1984 in Ulm.", [("DATE_OF_BIRTH", "12.03.1984")]),
        ("Fecha de nacimiento: 13/01/1960", [("DATE_OF_BIRTH", "13/01/1960")]),
        ("Née le 3 mars 1990 à Lyon", [("DATE_OF_BIRTH", "3 mars 1990")]),
        ("The policy dates from 12.03.1984.", [("DATE_TIME", "12.03.1984")]),
        ("Chapter 12.03 and 3-4/32", []),
        # numbers of persons, by country
        ("My SSN is 078-05-1123.", [("US_SSN", "078-05-1123")]),
        ("His NHS number is 401 023 2137.", [("UK_NHS", "401 023 2137")]),
        ("National insurance: AA 12 34 56 B", [("UK_NINO", "AA 12 34 56 B")]),
        ("Steuer-ID: 12345678903", [("DE_TAX_ID", "12345678903")]),
        ("Steuer-ID: 12345678901", []),
        ("Rechnung 12345678903 vom Mai", []),
        ("Mi DNI es 12345678Z.", [("ES_NIF", "12345678Z")]),
        ("Mi DNI es 12345678A.", []),
        ("Codice fiscale RSSMRA85T10A562S", [("IT_FISCAL_CODE", "RSSMRA85T10A562S")]),
        ("Sécu: 2 55 08 14 168 025 38", [("FR_SOCIAL_SECURITY", "2 55 08 14 168 025 38")]),
        ("Sécu: 2 55 08 14 168 025 39", []),
        ("AHV 756.9217.0769.85", [("CH_AHV", "756.9217.0769.85")]),
        ("AHV 756.9217.0769.84", []),
        ("SVNR 1237 010180", [("AT_SOCIAL_SECURITY", "1237 010180")]),
        ("NASS: 28 12345678 40", [("ES_SOCIAL_SECURITY", "28 12345678 40")]),
        ("Numéro fiscal : 1123456789 294", [("FR_TAX_ID", "1123456789 294")]),
        ("Numéro fiscal : 1123456789 296", []),
        ("Carte d'identité 880692310285", [("FR_ID_CARD", "880692310285")]),
        ("La commande 880692310285", []),
        ("Passeport 12AB34567", [("FR_PASSPORT", "12AB34567")]),
        ("Le colis 12AB34567", []),
        ("SIREN 732 829 320", [("FR_SIREN", "732 829 320")]),
        ("SIREN 732 829 321", []),
        ("Rijksregister 85.07.30-033.28", [("BE_NATIONAL_NUMBER", "85.07.30-033.28")]),
        ("Rijksregister 85.07.30-033.29", []),
        ("BSN 123456782", [("NL_BSN", "123456782")]),
        ("BSN 123456783", []),
        ("NIF 123 456 789", [("PT_NIF", "123 456 789")]),
        ("NIF 123 456 788", []),
        ("PPSN 1234567T and 1234567FA", [("IE_PPS", "1234567T"), ("IE_PPS", "1234567FA")]),
        ("PPSN 1234567U", []),
        ("Her ITIN or SSN: 911-70-1234", [("US_ITIN", "911-70-1234")]),
        ("Her passport is AB1234567.", [("UK_PASSPORT", "AB1234567")]),
        ("Her parcel is AB1234567.", []),
        # numbers by what they are called
        ("Employee number: E-20417 starts", [("EMPLOYEE_ID", "E-20417")]),
        ("Personalnummer 004711", [("EMPLOYEE_ID", "004711")]),
        ("Kundennummer: 88-1234", [("CUSTOMER_ID", "88-1234")]),
        ("MRN 12345678 was opened", [("MEDICAL_RECORD_NUMBER", "12345678")]),
        ("Employee numbers rose by 2000", []),
        # secrets
        ("Password: hunter2!x", [("SECRET", "hunter2!x")]),
        ("Password: must have twelve letters", []),
        ("key sk-proj-abcdefghijklmnopqrstuvwx", [("SECRET", "sk-proj-abcdefghijklmnopqrstuvwx")]),
        ("postgres://app:s3cret@db/x", [("SECRET", "s3cret")]),
        ("redis://:s3cret@db/x", [("SECRET", "s3cret")]),
        ("postgres://db:5432/x", []),
        ("Server=db;Password=Abc12345;Database=x", [("SECRET", "Abc12345")]),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", [("SECRET", "wJalrXUtnFEMI/K7MDENG")]),
        ('"api_key": "abcd1234efgh"', [("SECRET", "abcd1234efgh")]),
        ("the secret is out there", []),
        # addresses: whole with the town, the street alone, a box, a line of a form
        ("Sie wohnt Musterstr. 12, 12345 Bad Stadt.", [("ADDRESS", "Musterstr. 12, 12345 Bad Stadt")]),
        (
            "Am Alten Markt 5\n60311 Frankfurt am Main",
            [("ADDRESS", "Am Alten Markt 5"), ("ADDRESS", "60311 Frankfurt am Main")],
        ),
        ("in der Berliner Straße 3-5 wohnt", [("ADDRESS", "Berliner Straße 3-5")]),
        ("Bundesstraße 27, Straße 2019, Artikel 12", []),
        ("C/ Mayor 5, 2º B, 28013 Madrid, vive", [("ADDRESS", "C/ Mayor 5, 2º B, 28013 Madrid")]),
        ("Avenida de Córdoba s/n", [("ADDRESS", "Avenida de Córdoba s/n")]),
        ("una plaza para 3 personas en la calle", []),
        ("12 bis, rue de la Paix, 75002 Paris Cedex 02", [("ADDRESS", "12 bis, rue de la Paix, 75002 Paris Cedex 02")]),
        ("Rue du Rhône 12, 1204 Genève", [("ADDRESS", "Rue du Rhône 12, 1204 Genève")]),
        ("3 place de parking, 2 rues", []),
        ("221B Baker Street, London NW1 6XE", [("ADDRESS", "221B Baker Street, London NW1 6XE")]),
        ("Flat 2, 14 Park Row, Leeds LS1 5HD", [("ADDRESS", "Flat 2, 14 Park Row, Leeds LS1 5HD")]),
        (
            "1600 Amphitheatre Pkwy, Springfield, IL 62701",
            [("ADDRESS", "1600 Amphitheatre Pkwy, Springfield, IL 62701")],
        ),
        (
            "Send it to 12 Main Road, Apt. 4\nNew Town\nUtopia 62701",
            [("ADDRESS", "12 Main Road, Apt. 4\nNew Town\nUtopia 62701")],
        ),
        ("12 Wellington St, Ottawa, ON K1A 0B1", [("ADDRESS", "12 Wellington St, Ottawa, ON K1A 0B1")]),
        ("In 2008 Wall Street fell; the 3 Road Safety Rules", []),
        ("PO Box 149, Springfield, IL 62701", [("ADDRESS", "PO Box 149, Springfield, IL 62701")]),
        ("Postfach 12 34 56", [("ADDRESS", "Postfach 12 34 56")]),
        ("BP 120 over 80, box 12", []),
        ("Address: 5 The Old Mill\nEnd", [("ADDRESS", "5 The Old Mill")]),
        ("Address: page 0x7ffe1\nAddress: to be told", []),
        # ages of persons, not of things, nor the limits of a rule
        ("She is 34 years old, a 34-year-old, aged 34", [("AGE", "34")] * 3),
        ("a 10-year guarantee for 10 years", []),
        ("aged 18 to 65, aged 55 or over, under the age of 18", []),
        (
            "34 Jahre alt, im Alter von 34 Jahren, ein 34-Jähriger",
            [("AGE", "34 Jahre"), ("AGE", "34 Jahren"), ("AGE", "34")],
        ),
        ("seit 20 Jahren, eine 10-jährige Garantie", []),
        ("una mujer de 34 años; edad: 34", [("AGE", "34 años"), ("AGE", "34")]),
        ("hace 5 años, 3 años de experiencia, garantía de 3 años", []),
        ("âgé de 34 ans, elle a 34 ans", [("AGE", "34 ans")] * 2),
        ("il y a 10 ans, elle a 10 ans d'expérience", []),
        # names with a title
        ("Ask Dr. Anna Weiss, please.", [("PERSON", "Anna Weiss")]),
        ("Frau Müller-Lüdenscheidt kommt", [("PERSON", "Müller-Lüdenscheidt")]),
        ("Prof. Dr. med. Jean de la Cruz", [("PERSON", "Jean de la Cruz")]),
        ("Mme Dupont répond", [("PERSON", "Dupont")]),
        ("Ms. Manager and the frau next door", []),
    ],
)
def test_hits_and_near_misses(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1" * 18, "glrt-" + "a1" * 10, "xapp-1-A1-22-ab", "AKIA" + "A1" * 8, "AIza" + "a1" * 17 + "b",
        "sk_live_" + "a1" * 12, "sk-ant-api03-" + "a1" * 20, "hf_" + "aB" * 17, "npm_" + "a1" * 18, "pypi-" + "Ag" * 30,
        "SG." + "a1" * 11 + "." + "a1" * 21, "SK" + "a1" * 16, "a1" * 43 + "==",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "1234567890:AA" + "a1b" * 11, "whsec_" + "a1" * 16,
        "dop_v1_" + "a1" * 32, "hvs." + "a1" * 12, "GOCSPX-" + "a1" * 14,
    ],
)  # fmt: skip
def test_a_key_is_known_by_its_beginning_and_length(token: str) -> None:
    assert found(f"use {token} now") == [("SECRET", token)]
    assert "SECRET" not in dict(found(f"use {token[:9]} now"))


def test_a_private_key_is_found_whole() -> None:
    for kind in ("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):
        key = f"-----BEGIN {kind}-----\nMIIEpA\n-----END {kind}-----"
        assert found(key) == [("SECRET", key)]
    assert found("-----BEGIN PUBLIC KEY-----\nMIIEpA\n-----END PUBLIC KEY-----") == []


@pytest.mark.parametrize(
    ("text", "label"), [("078051123", "US_PASSPORT"), ("4010232137", "UK_NHS"), ("12345678903", "DE_TAX_ID")]
)
def test_a_number_that_is_the_whole_text_needs_no_word(text: str, label: str) -> None:
    assert [value for _, value in found(text)] == [text]
    assert label not in {label for label, _ in found(f"Bring {text} boxes")}


def test_every_recognizer_of_presidio_is_on_or_off_on_purpose() -> None:
    known = {
        name
        for name in dir(predefined)
        if isinstance(kind := getattr(predefined, name), type) and issubclass(kind, EntityRecognizer)
    }
    assert known - {"EntityRecognizer", "LocalRecognizer"} == USED.keys() | OFF.keys()
    assert not USED.keys() & OFF.keys()


def test_the_labels_of_companies_are_labels_that_are_used() -> None:
    labels = {getattr(predefined, name)().supported_entities[0] for name in USED} | {rule.label for rule in RULES}
    assert labels >= COMPANIES


EVIDENCE = (
    Evidence("public", "Our hot line is 030 23125 123; write to help@example.org.", public_contacts=True),
    Evidence("private", "Anna lives at home: 030 23125 999, anna@example.net. Carl: carl [at] example [dot] com."),
)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("It is me@example.com.", Origin.USER),
        ("It is ME@EXAMPLE.COM.", Origin.USER),
        ("Call +49 30 23125 555.", Origin.USER),
        ("Call 030-23125-123.", Origin.PUBLIC_DOCUMENT),
        ("Call +49 30 23125123.", Origin.PUBLIC_DOCUMENT),
        ("Write to help@example.org.", Origin.PUBLIC_DOCUMENT),
        ("Call 030 23125 999.", Origin.DOCUMENT),
        ("Write to anna@example.net.", Origin.DOCUMENT),
        ("Write to hanna@example.net.", Origin.INVENTION),
        ("Call 030 23125 998.", Origin.INVENTION),
        ("Write to bWVAZXhhbXBsZS5jb20=.", Origin.USER),
        ("Write to \uff48elp (at) example.org.", Origin.PUBLIC_DOCUMENT),
        ("Call 030%2023125%20999.", Origin.DOCUMENT),
        ("Write to carl@example.com.", Origin.DOCUMENT),
        ("Write to aGFubmFAZXhhbXBsZS5uZXQ=.", Origin.INVENTION),
    ],
)
def test_a_value_has_the_origin_of_the_text_it_stands_in(text: str, origin: Origin) -> None:
    context = Context("Is me@example.com right?", ("I am on 030 23125 555.",), EVIDENCE)
    assert [finding.origin for finding in PiiGuard(DETECTOR).check(text, context)] == [origin]


def test_what_the_reader_writes_is_the_readers_while_a_question_is_checked() -> None:
    for context in (Context(), Context(question="I am at me@example.com")):
        (finding,) = PiiGuard(DETECTOR).check("I am at me@example.com", context)
        assert finding.origin is Origin.USER


def test_without_evidence_a_value_of_an_answer_is_an_invention() -> None:
    (finding,) = PiiGuard(DETECTOR).check("Write to me@example.com", Context(question="To whom do I write?"))
    assert finding.origin is Origin.INVENTION


@given(st.text(max_size=300), st.integers(0, 2 * WINDOW))
@settings(max_examples=40, deadline=None)
def test_a_value_is_found_wherever_it_stands_in_a_long_text(noise: str, place: int) -> None:
    text = "word " * (place // 5) + "\n" + "mail anna.weiss@example.org now \n" + noise
    start = text.index("anna.weiss")
    assert any((v.start, v.end) == (start, start + 22) for v in DETECTOR.detect(text))


@given(st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_plain_values_never_overlap_unless_a_web_address_holds_one(text: str) -> None:
    values = DETECTOR.plain(text)
    for one, other in ((a, b) for a in values for b in values if a is not b):
        assert one.end <= other.start or other.end <= one.start or "URL" in (one.label, other.label)


PLAIN = (
    "anna@example.org",
    "4012 8888 8888 1881",
    "078-05-1123",
    "https://example.org/a?b=c",
    "12.03.1984",
    "Dr. Anna Weiss",
)


@given(st.lists(st.sampled_from(PLAIN) | st.text("aB1 .-@/\n*_%\u200b\uff11", max_size=12), max_size=8).map(" ".join))
@settings(max_examples=100, deadline=None)
def test_a_disguise_beside_it_never_hides_a_value_that_stands_plainly(text: str) -> None:
    found = DETECTOR.detect(text)
    for value in DETECTOR.plain(text):
        holders = [other for other in found if other.start <= value.start and value.end <= other.end]
        assert any(other.label == value.label or other.label not in WEAK for other in holders)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail a\u200bnna@example.org now", [("EMAIL_ADDRESS", "a\u200bnna@example.org")]),  # not the part that shows
        ("Mail anna (at) example.org now", [("EMAIL_ADDRESS", "anna (at) example.org")]),  # and of the host's name
        ("Mail YW5uYUBleGFtcGxlLm9yZw== now", [("EMAIL_ADDRESS", "YW5uYUBleGFtcGxlLm9yZw==")]),
        ("SSN \uff10\uff17\uff18-\uff10\uff15-1123", [("US_SSN", "\uff10\uff17\uff18-\uff10\uff15-1123")]),
        ("p\u0430ssport AB1234567", [("UK_PASSPORT", "AB1234567")]),  # the word beside it is disguised
        ("https://example.org/?to=a.b%40example.com",
         [("URL", "https://example.org/?to=a.b%40example.com"), ("EMAIL_ADDRESS", "a.b%40example.com")]),
        ("Meet at the point in Rome at 4 or 5", []),
    ],
)  # fmt: skip
def test_disguised_values_and_near_misses(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_disguised_value_reads_as_it_is_meant() -> None:
    text = "Now YW5uYUBleGFtcGxlLm9yZw== and me@example.org"
    assert [reading(text, value) for value in DETECTOR.detect(text)] == ["anna@example.org", "me@example.org"]


@pytest.mark.parametrize(
    "unit",
    [
        "a-",
        "1 ",
        "a.b@",
        "1-",
        "AB12 ",
        "/",
        "x=1&",
        "+",
        "(",
        "\u00a0",
        "aaaa:",
        "11 22 ",
        "1 Aa, ",
        "C/ A ",
        "Aastr. 1, ",
    ],
)
def test_a_hostile_text_costs_time_in_proportion(unit: str) -> None:
    DETECTOR.load()
    begun = time.thread_time()
    DETECTOR.detect((unit * 20_000)[:20_000])
    assert time.thread_time() - begun < 4


def test_an_expression_that_runs_out_of_time_raises_instead_of_passing_the_text() -> None:
    shape = _Strict(r"(a|aa)+$", 0)
    with pytest.raises(DetectionTimeout):
        list(shape.finditer("a" * 60 + "b", timeout=0.05))


def test_nothing_is_fetched_for_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    detector = Detector()
    assert detector.detect("a@example.museum and https://example.zuerich/x")


def test_threads_find_what_one_thread_finds() -> None:
    texts = [f"Call +49 30 23125 {n:03} or mail n{n}@example.org" for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(DETECTOR.detect, texts)) == [DETECTOR.detect(text) for text in texts]


def test_memory_stays_flat() -> None:
    DETECTOR.detect("warm 1 a@example.org")
    tracemalloc.start()
    try:
        for round_ in range(60):
            DETECTOR.detect(f"word{round_} number {round_ * 7919} at n{round_}@example.org, tel {round_:09}")
            if round_ == 20:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000
