"""Names, addresses, ages and births as people write them, each beside a near miss that is none of these."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.pii import Detection, PiiGuard
from guardrails.policy import load
from guardrails.types import Context, Evidence

GUARD = PiiGuard()
LABELS = frozenset({"PERSON", "ADDRESS", "AGE", "DATE_OF_BIRTH"})
ENOUGH = 0.5  # of what a value and a detection cover together, as `candor evaluate pii` counts

Value = tuple[str, str]  # label, and the words as they stand in the text

# What it is about; a text; its values in order; a text that looks alike and has none.
CASES: tuple[tuple[str, str, tuple[Value, ...], str], ...] = (
    ("lower case, chat",
        "hey can u ask priya raman if shes in tmrw? otherwise ping tom becker",
        (("PERSON", "priya raman"), ("PERSON", "tom becker")),
        "hey can u ask the service desk if its open tmrw? otherwise ping the help channel"),
    ("lower case, alone in a question",
        "when did maria kowalska sign the contract?",
        (("PERSON", "maria kowalska"),),
        "when did the company board sign the contract?"),
    ("Mr. and Mrs.",
        "Mr. Holloway called; Mrs. Adeline Marsh will answer him on Friday.",
        (("PERSON", "Holloway"), ("PERSON", "Adeline Marsh")),
        "The Sr. Engineer called; the Dr. on duty will answer the MR. desk on Friday."),
    ("initials",
        "Signed by J. R. Whitcombe and reviewed by A.K. Lindgren.",
        (("PERSON", "J. R. Whitcombe"), ("PERSON", "A.K. Lindgren")),
        "See Appendix J. R.2 values above 0.8 pass; U.S. and E.U. limits differ, e.g. in part B. C. is void."),
    ("Vietnamese",
        "Nguyễn Thị Minh Khai took over the file from Tran Van Duc last week.",
        (("PERSON", "Nguyễn Thị Minh Khai"), ("PERSON", "Tran Van Duc")),
        "We ordered phở bò and bánh mì for the team lunch last week."),
    ("Arabic, romanised",
        "The visa of Khalid bin Saeed al-Mansouri was extended, and Fatima al-Zahrawi booked his flight.",
        (("PERSON", "Khalid bin Saeed al-Mansouri"), ("PERSON", "Fatima al-Zahrawi")),
        "Put the al dente pasta leftovers in the green bin beside the al fresco tables."),
    ("Nigerian",
        "Please copy Oluwaseun Adebayo and Chidinma Okonkwo-Eze on the minutes.",
        (("PERSON", "Oluwaseun Adebayo"), ("PERSON", "Chidinma Okonkwo-Eze")),
        "Please copy Finance and Legal Affairs on the minutes."),
    ("Indian",
        "Venkatesh Subramaniam asked whether Harpreet Kaur Gill may work from home.",
        (("PERSON", "Venkatesh Subramaniam"), ("PERSON", "Harpreet Kaur Gill")),
        "Masala Chai and Paneer Tikka are served in the canteen on Mondays."),
    ("Chinese, romanised",
        "Zhang Wei handed the keys to Liu Xiaoming before the holiday.",
        (("PERSON", "Zhang Wei"), ("PERSON", "Liu Xiaoming")),
        "Feng Shui and Tai Chi courses begin again after the holiday."),
    ("hyphens",
        "Anne-Sophie Keller-Brandt and Jean-Luc Marchand-Petit share an office.",
        (("PERSON", "Anne-Sophie Keller-Brandt"), ("PERSON", "Jean-Luc Marchand-Petit")),
        "A Follow-Up and a Cost-Benefit Analysis share an agenda item."),
    ("apostrophes",
        "Siobhan O'Rourke met Marco D'Angelis; N\u2019Golo Diarra\u2019s notes are attached.",
        (("PERSON", "Siobhan O'Rourke"), ("PERSON", "Marco D'Angelis"), ("PERSON", "N\u2019Golo Diarra")),
        "It's five o'clock, d'accord; the seats' allocation isn't the board\u2019s, and y'all can't change it."),
    ("particles",
        "Pieter van der Meulen and María de la Torre wrote it, Ludwig von Hagen read it.",
        (("PERSON", "Pieter van der Meulen"), ("PERSON", "María de la Torre"), ("PERSON", "Ludwig von Hagen")),
        "Crème de la crème is on the carte du jour; van der Waals forces are on page 9 of the book."),
    ("May",
        "In May, May Lindqvist may take her leave.",
        (("PERSON", "May Lindqvist"),),
        "In May, staff may take their leave. May is a short month; requests may be late."),
    ("Will",
        "I will ask Will whether Will Ashdown can come.",
        (("PERSON", "Will"), ("PERSON", "Will Ashdown")),
        "Will the board decide? It will. A will must be signed by two witnesses."),
    ("Mark",
        "Mark, please mark the date; Mark Feldman did so already.",
        (("PERSON", "Mark"), ("PERSON", "Mark Feldman")),
        "Mark the date in your calendar. A question mark is missing in line four."),
    ("Rose and Grace",
        "Rose Abernathy rose from her chair when Grace Tillman came in.",
        (("PERSON", "Rose Abernathy"), ("PERSON", "Grace Tillman")),
        "Rose petals and a grace period: prices rose after the Grace Period had ended."),
    ("Hunter",
        "Hunter Calloway is the new trainee of the forest office.",
        (("PERSON", "Hunter Calloway"),),
        "Hunter licences are issued by the forest office; a bargain hunter needs none."),
    ("signature block",
        "Kind regards\n\nEleanor Fitzwilliam\nSenior Account Manager\nNorthgate Insurance plc\n"
        "14 Harbour Row, Bristol BS1 5TY\nwww.example.org",
        (("PERSON", "Eleanor Fitzwilliam"), ("ADDRESS", "14 Harbour Row, Bristol BS1 5TY")),
        "Kind regards\n\nYour Customer Service Team\nSenior Account Management\nNorthgate Insurance plc\n"
        "www.example.org"),
    ("Markdown table",
        "| Name | Age | Unit |\n| --- | ---: | --- |\n| Ingrid Solberg | 44 | Claims |\n"
        "| Bruno Teixeira | 29 | Sales |",
        (("PERSON", "Ingrid Solberg"), ("AGE", "44"), ("PERSON", "Bruno Teixeira"), ("AGE", "29")),
        "| Item | Stock | Unit |\n| --- | ---: | --- |\n| Desk Lamp | 44 | Claims |\n| Swivel Chair | 29 | Sales |"),
    ("table by tabs",
        "Employee\tRoom\tSince\nYusuf Demir\t3.12\t2019\nHanna Virtanen\t3.14\t2021",
        (("PERSON", "Yusuf Demir"), ("PERSON", "Hanna Virtanen")),
        "Product\tRoom\tSince\nLaser Printer\t3.12\t2019\nCoffee Machine\t3.14\t2021"),
    ("chat transcript",
        "[09:14] dimitri: anyone seen the badge list?\n[09:15] Leila Haddad: sent it to dimitri yesterday\n"
        "[09:15] dimitri: thx leila",
        (("PERSON", "dimitri"), ("PERSON", "Leila Haddad"), ("PERSON", "dimitri"), ("PERSON", "dimitri"),
         ("PERSON", "leila")),
        "[09:14] system: backup started\n[09:15] Build Server: job 4711 passed\n[09:15] system: done, thx for waiting"),
    ("address over three lines",
        "Please send the laptop to:\n27 Willowbrook Lane\nHarrogate\nHG1 4QT",
        (("ADDRESS", "27 Willowbrook Lane\nHarrogate\nHG1 4QT"),),
        "Please send the following:\n27 keyboard covers\nAdapters\nHD1 4K cables"),
    ("address in a sentence",
        "She moved to 1184 Maple Hollow Drive, Columbus, OH 43215 in the spring.",
        (("ADDRESS", "1184 Maple Hollow Drive, Columbus, OH 43215"),),
        "She moved 1184 files to the shared drive, column OH, row 43215, in the spring."),
    ("German",
        "Herr Matthias Oberländer, 52 Jahre alt, wohnt in der Lindenstraße 14b, 70173 Stuttgart.",
        (("PERSON", "Matthias Oberländer"), ("AGE", "52 Jahre alt"),
         ("ADDRESS", "Lindenstraße 14b, 70173 Stuttgart")),
        "Der Antrag auf Urlaub geht an die Personalabteilung; die Frist beträgt 52 Tage ab Eingang der Unterlagen."),
    ("German nouns",
        "Könnte Frieda Krüger den Schlüssel vom Hausmeister holen?",
        (("PERSON", "Frieda Krüger"),),
        "Könnte der Wolf im Wald den Bauern, den Koch und den Müller in seiner Mühle erschrecken?"),
    ("Spanish",
        "Lucía Fernández Ortega, de 38 años, vive en la calle Alcornoque 23, 28012 Madrid.",
        (("PERSON", "Lucía Fernández Ortega"), ("AGE", "38 años"), ("ADDRESS", "calle Alcornoque 23, 28012 Madrid")),
        "La Ley Orgánica concede un plazo de 38 días; la Comisión de Mercados publica el dictamen en mayo."),
    ("French",
        "Mathilde Rousselin, 61 ans, habite 8 rue des Tilleuls, 69003 Lyon.",
        (("PERSON", "Mathilde Rousselin"), ("AGE", "61 ans"), ("ADDRESS", "8 rue des Tilleuls, 69003 Lyon")),
        "L'Accord de Paris compte 29 articles; la Cour des comptes rend son avis en mars."),
    ("two languages",
        "Meeting mit Björn Achterberg moved to Friday, dijo Carmen Quintero, merci de prévenir Élodie Garnier.",
        (("PERSON", "Björn Achterberg"), ("PERSON", "Carmen Quintero"), ("PERSON", "Élodie Garnier")),
        "Das Meeting moved to Friday, dijo el comité, merci de prévenir la Direction Générale."),
    ("capitals",
        "PAYEE: RAJESH CHAUDHARY. COPY TO LINDA MCALLISTER.",
        (("PERSON", "RAJESH CHAUDHARY"), ("PERSON", "LINDA MCALLISTER")),
        "WARNING: HIGH VOLTAGE. DO NOT REMOVE COVER. KEEP AWAY FROM WATER."),
    ("last name first",
        "Present: Haversham, Julia; Mbeki-Nkosi, Thabo; Sørensen, Lars.",
        (("PERSON", "Haversham, Julia"), ("PERSON", "Mbeki-Nkosi, Thabo"), ("PERSON", "Sørensen, Lars")),
        "Present: chairs, folding; tables, round; Projectors, Portable."),
    ("heads of a mail",
        "From: Katarzyna Nowicka <k.nowicka@example.org>\nTo: Owen Pritchard\nSubject: Annual Leave",
        (("PERSON", "Katarzyna Nowicka"), ("PERSON", "Owen Pritchard")),
        "From: Service Desk <desk@example.org>\nTo: All Staff\nSubject: Annual Leave"),
    ("a birth among other dates",
        "Tamara Ilieva, born 3 November 1987, joined on 1 February 2016 and moved on 4 May 2020.",
        (("PERSON", "Tamara Ilieva"), ("DATE_OF_BIRTH", "3 November 1987")),
        "The policy of 3 November 1987 was revised on 1 February 2016 and again on 4 May 2020."),
    ("a birth in a form",
        "Patient: Gareth Pugh\nDOB: 07/09/1961\nAdmitted: 12/10/2024\nAge: 63",
        (("PERSON", "Gareth Pugh"), ("DATE_OF_BIRTH", "07/09/1961"), ("AGE", "63")),
        "Parcel: spare part\nSent: 07/09/2024\nReceived: 12/10/2024\nPage: 63"),
    ("ages",
        "My son is 7 and my mother, aged 81, lives with us.",
        (("AGE", "7"), ("AGE", "81")),
        "Section 7 applies, and rule 81 stays in force for 12 years; room 34 is free at 9."),
    ("names of products",
        "Naomi Steinfeld returned the Surface Pro and the Jordan 1 sneakers.",
        (("PERSON", "Naomi Steinfeld"),),
        "Returned: one Surface Pro, a pair of Jordan 1 sneakers, a Galaxy Watch and a Mercedes Sprinter."),
    ("headings",
        "## Contact Persons\n\nAmira Belkacem answers questions about travel.",
        (("PERSON", "Amira Belkacem"),),
        "## Travel Expenses And Daily Allowances\n\n### Before You Go\n\nKeep every receipt."),
    ("code",
        "# written by Stellan Bergqvist\nclass OrderBook(BaseModel):\n    def getNextItem(self): ...",
        (("PERSON", "Stellan Bergqvist"),),
        "class OrderBook(BaseModel):\n    def getNextItem(self): return JsonParser.loadFile(DefaultPath)"),
    ("companies",
        "Deborah Ainsworth left Goldman Sachs for Johnson & Johnson.",
        (("PERSON", "Deborah Ainsworth"),),
        "Goldman Sachs advised Johnson & Johnson, Ernst & Young audited Morgan Stanley and Harley-Davidson."),
    ("numbers",
        "Invoice 20417 over 1 250.00 euro was approved by Emeka Nwosu in 2023.",
        (("PERSON", "Emeka Nwosu"),),
        "Invoice 20417 over 1 250.00 euro was approved in 2023 under 12.4, at 3.5 %, in 14 of 60 cases."),
    ("possessive",
        "Ravindra's badge and Ms Castellanos' parking space are ready.",
        (("PERSON", "Ravindra"), ("PERSON", "Castellanos")),
        "Monday's shift and the managers' parking spaces are free. The Paris agreement's text is in the annex."),
)  # fmt: skip


def personal(text: str) -> list[Detection]:
    return [value for value in GUARD.detect(text) if value.label in LABELS]


def places(text: str, values: Iterable[Value]) -> list[tuple[str, int, int]]:
    """Where the values stand, one after the other."""
    found, at = [], 0
    for label, value in values:
        start = text.index(value, at)
        at = start + len(value)
        found.append((label, start, at))
    return found


def agrees(value: Detection, place: tuple[str, int, int]) -> bool:
    label, start, end = place
    common = min(value.end, end) - max(value.start, start)
    return value.label == label and common >= ENOUGH * (max(value.end, end) - min(value.start, start))


def missed(text: str, values: Iterable[Value], found: Sequence[Detection]) -> list[Value]:
    """The values that nothing agrees with."""
    return [
        (place[0], text[place[1] : place[2]])
        for place in places(text, values)
        if not any(agrees(value, place) for value in found)
    ]


def alarms(text: str, values: Iterable[Value], found: Sequence[Detection]) -> list[Value]:
    """What is found beside the values."""
    spans = places(text, values)
    return [
        (value.label, text[value.start : value.end])
        for value in found
        if not any(start < value.end and value.start < end for _, start, end in spans)
    ]


# What the model of this release gets wrong, and must be taken from here once another does not.
MISSED = {"Vietnamese"}
FALSE = {"Indian", "particles", "German nouns"}


def known(shortfalls: set[str], case: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.xfail(strict=True, reason="a known shortfall of the model"),) if case in shortfalls else ()


@pytest.mark.parametrize(
    ("text", "values"), [pytest.param(case[1], case[2], id=case[0], marks=known(MISSED, case[0])) for case in CASES]
)
def test_a_hard_case_is_found_and_nothing_beside_it(text: str, values: tuple[Value, ...]) -> None:
    found = personal(text)
    assert (missed(text, values, found), alarms(text, values, found)) == ([], [])


@pytest.mark.parametrize("text", [pytest.param(case[3], id=case[0], marks=known(FALSE, case[0])) for case in CASES])
def test_a_near_miss_is_left_alone(text: str) -> None:
    assert alarms(text, (), personal(text)) == []


FILLER = """\
Travel is booked through the portal, and the cheapest fare that fits the schedule is taken. Receipts are kept for the \
whole year. Lost keys are reported at once. If a meeting lasts longer than two hours, a break of fifteen minutes is \
planned. The archive is moved to the new building in autumn; until then, files are ordered a day ahead.
Equipment that is no longer needed goes back to the store. Who leaves the room last closes the windows. The canteen \
offers two dishes a day, one of them without meat. Questions about the network go to the service desk between eight \
and six. Expenses below twenty euro need no approval. The next fire drill is announced by mail. """
TOLD = "The form was then signed by Rosalind Achebe in the presence of a witness. "
WORDS = 2000


@pytest.mark.parametrize("shift", range(0, 80, 16))
def test_no_name_is_lost_at_a_cut_of_a_long_text(shift: int) -> None:
    sentences = [sentence + ". " for sentence in FILLER.split(". ") if sentence.strip()]
    text = "x" * shift + " "  # so that cuts fall elsewhere in the same sentences
    while len(text.split()) < WORDS:
        text += sentences[len(text) % len(sentences)] + TOLD
    values = [("PERSON", "Rosalind Achebe")] * text.count(TOLD)
    found = personal(text)
    assert len(values) > WORDS / 40
    assert (missed(text, values, found), alarms(text, values, found)) == ([], [])


def test_a_long_text_without_names_has_none_at_its_cuts() -> None:
    text = FILLER * (WORDS // len(FILLER.split()) + 1)
    assert alarms(text, (), personal(text)) == []


def test_a_name_is_found_at_any_place_of_a_text_without_sentences() -> None:
    words = ["invoice", "parcel", "folder", "printer", "ladder", "carpet", "window", "basket"] * (WORDS // 8)
    for place in range(7, WORDS, 160):
        text = " ".join([*words[:place], "signed by Rosalind Achebe", *words[place:]])
        assert missed(text, [("PERSON", "Rosalind Achebe")], personal(text)) == []


@pytest.mark.parametrize(
    ("text", "user"),
    [("thx @tom_becker see u", "@tom_becker"), ("Write to @ada_lovelace99 or to ada@example.org.", "@ada_lovelace99")],
)
def test_a_users_name_is_found(text: str, user: str) -> None:
    assert ("PERSON", user) in [(found.label, text[found.start : found.end]) for found in GUARD.detect(text)]


@pytest.mark.parametrize("text", ["@Override public void run()", "pip install foo@latest", "@everyone we meet at 5"])
def test_what_stands_behind_an_at_sign_need_be_nobody(text: str) -> None:
    assert personal(text) == []


PIECES = st.sampled_from([piece for case in CASES for piece in (case[1], case[3])])
TEXTS = st.lists(PIECES | st.text("aB1 .,-@/\n|\t'", max_size=12), max_size=4).map(" ".join)


@given(TEXTS | st.text(max_size=300))
@settings(max_examples=20, deadline=None)
def test_detections_lie_in_the_text_in_order_and_are_the_same_twice(text: str) -> None:
    found = GUARD.detect(text)
    assert list(found) == sorted(found, key=lambda value: (value.start, value.end))
    assert all(0 <= value.start < value.end <= len(text) and 0 < value.score <= 1 for value in found)
    assert GUARD.detect(text) == found


@given(TEXTS)
@settings(max_examples=20, deadline=None)
def test_detections_do_not_overlap(text: str) -> None:
    # A disguised value and a web address may hold another.
    plain = [value for value in GUARD.detect(text) if not value.view and value.label != "URL"]
    assert all(one.end <= other.start for one, other in pairwise(plain))


def test_eight_threads_find_what_one_finds() -> None:
    texts = [text for case in CASES for text in (case[1], case[3])]
    alone = list(map(GUARD.detect, texts))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(GUARD.detect, texts)) == alone


def test_threads_that_come_first_share_one_loading() -> None:
    guard, text = PiiGuard(), CASES[0][1]
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(guard.detect, [text] * 8))) == 1


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    guard = PiiGuard()  # its loading counts too
    for _, text, _, near_miss in CASES:
        guard.detect(text)
        guard.detect(near_miss)


STORY = "The report on Falcon was written by Tamara Ilieva and Owen Pritchard for the forest office."


def shown(text: str, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> str:
    """What a reader sees of a sentence that repeats a document, under the general preset without its rule for names."""
    general = load()
    lists = {"allow": frozenset(allow), "deny": frozenset(deny)}
    about = general.personal_data.model_copy(update={"rules": (), **lists})
    gate = Gate(Checks([GUARD], seconds=60), general.model_copy(update={"personal_data": about}))
    return gate.sentence(text, Context("Who wrote it?", evidence=(Evidence("1", text),))).shown.text


@pytest.mark.parametrize(
    ("allow", "deny", "expected"),
    [
        ((), (), "The report on Falcon was written by <PERSON> and <PERSON> for the forest office."),
        (("Tamara Ilieva",), (),
         "The report on Falcon was written by Tamara Ilieva and <PERSON> for the forest office."),
        (("tamara  ILIEVA", "Owen Pritchard"), (), STORY),  # case and spaces do not count
        (("Tamara", "Falcon"), (), "The report on Falcon was written by <PERSON> and <PERSON> for the forest office."),
        ((), ("falcon", "Forest Office"),
         "The report on <DENIED> was written by <PERSON> and <PERSON> for the <DENIED>."),
        (("Tamara Ilieva",), ("Ilieva",),
         "The report on Falcon was written by Tamara <DENIED> and <PERSON> for the forest office."),
        ((), ("Pritchard",), "The report on Falcon was written by <PERSON> and <PERSON> for the forest office."),
        ((), ("Fal",), "The report on Falcon was written by <PERSON> and <PERSON> for the forest office."),
    ],
)  # fmt: skip
def test_the_policys_lists_hold_for_names(allow: tuple[str, ...], deny: tuple[str, ...], expected: str) -> None:
    assert shown(STORY, allow, deny) == expected


def test_a_name_that_is_a_word_is_allowed_as_the_whole_name_alone() -> None:
    assert shown("The key is with May Lindqvist until May.", allow=["May"]) == "The key is with <PERSON> until May."
