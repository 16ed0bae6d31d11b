"""Made-up house rules, prices and hours, with questions about them: what staff ask, which public sets do not hold.

Every statement stands among the same statement about other places, with other numbers. So only reading answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from rag.types import Document, Message

PLACES = (
    "Aldgate, Brixen, Carrow, Dunmore, Elmsett, Farholt, Granby, Hexley, Ilfracombe, Jedburgh, Kelso, Lydd, Morpeth"
)
TEAMS = "Finance, Field Service, Purchasing, Legal, Laboratory, Dispatch, Customer Care, Archives, Training"
GOODS = "Kestrel 4, Kestrel 9, Tern S, Tern XL, Osprey Mini, Osprey Pro, Plover 2, Heron Basic, Heron Plus"
COURSES = "First Aid, Forklift Driving, Data Handling, Fire Warden, Working at Height, Negotiation, Welding"
PEOPLE = "Ada Whitlock, Bruno Sack, Carla Nunes, Dev Rana, Esther Lund, Farid Amin, Gwen Pryce, Hal Osei"
MONTHS = "January, February, March, April, May, June, July, August, September, October, November, December"


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement about {name}; {n}, {money}, {time}, {date}, {person} are drawn anew for each name."""

    says: str
    asked: tuple[str, ...]
    answer: str = ""  # empty: the statement itself


@dataclass(frozen=True, slots=True)
class Subject:
    title: str
    names: str  # separated by commas
    facts: tuple[Fact, ...]
    aside: tuple[str, ...]  # sentences that stand between, and answer nothing that is asked


@dataclass(frozen=True, slots=True)
class Staged:
    """A question about a made-up document."""

    document: Document
    question: str
    history: tuple[Message, ...]
    answer: str  # empty: the document does not say


SUBJECTS = (
    Subject(
        "Parking",
        PLACES,
        (
            Fact(
                "The car park in {name} has {n} spaces.",
                ("How many parking spaces are there in {name}?", "how big is the car park in {name}"),
                "There are {n} parking spaces in {name}.",
            ),
            Fact(
                "In {name} the barrier opens at {time}.",
                ("When does the barrier in {name} open?", "From what time can I park in {name}?"),
                "The barrier in {name} opens at {time}.",
            ),
            Fact(
                "Visitors to {name} pay {money} a day.",
                ("What does parking cost visitors in {name}?", "visitor parking price {name}"),
                "Visitors to {name} pay {money} a day.",
            ),
        ),
        ("Bicycles go into the shed.", "Please leave the marked bays free.", "Cars are parked at the owner's risk."),
    ),
    Subject(
        "Travel expenses",
        TEAMS,
        (
            Fact(
                "Staff of {name} may spend up to {money} a night on a hotel.",
                ("What is the hotel limit for {name}?", "How much can {name} staff spend on a hotel room?"),
                "Staff of {name} may spend up to {money} a night.",
            ),
            Fact(
                "{name} hands in its receipts within {n} days.",
                ("How long does {name} have to hand in receipts?", "When must receipts from {name} be in?"),
                "Receipts of {name} must be handed in within {n} days.",
            ),
            Fact(
                "Trips of {name} are approved by {person}.",
                ("Who approves trips of {name}?", "Whom do I ask in {name} before I travel?"),
                "{person} approves trips of {name}.",
            ),
        ),
        ("Economy class is the rule.", "Taxis need a reason.", "Keep the boarding pass until the trip has been paid."),
    ),
    Subject(
        "Product sheet",
        GOODS,
        (
            Fact(
                "The {name} weighs {n} kg.",
                ("How heavy is the {name}?", "weight of {name}", "What does the {name} weigh?"),
            ),
            Fact(
                "The guarantee on the {name} lasts {n} months.",
                ("How long is the guarantee on the {name}?", "How many months of warranty does the {name} have?"),
                "The guarantee on the {name} lasts {n} months.",
            ),
            Fact("The {name} is sold at {money}.", ("What is the price of the {name}?", "How much is a {name}?")),
            Fact(
                "Spare parts for the {name} are kept until {date}.",
                ("Until when are there spare parts for the {name}?", "When do spare parts for the {name} end?"),
                "Spare parts for the {name} are kept until {date}.",
            ),
        ),
        ("Wipe the housing with a dry cloth.", "Do not open the case.", "The manual lies in the box."),
    ),
    Subject(
        "Training courses",
        COURSES,
        (
            Fact(
                "The course {name} takes {n} hours.",
                ("How long is the {name} course?", "How many hours does {name} take?"),
                "The {name} course takes {n} hours.",
            ),
            Fact(
                "{name} must be repeated every {n} months.",
                ("How often must {name} be repeated?", "When does my {name} training expire?"),
                "It must be repeated every {n} months.",
            ),
            Fact(
                "The next {name} course begins on {date}.",
                ("When is the next {name} course?", "next date {name} training"),
                "The next {name} course begins on {date}.",
            ),
            Fact("{person} teaches {name}.", ("Who teaches {name}?", "Who runs the {name} course?")),
        ),
        ("Lunch is provided.", "Certificates come by post.", "Those who cancel late pay half the fee."),
    ),
    Subject(
        "Opening hours",
        PLACES,
        (
            Fact(
                "The reception in {name} is staffed until {time}.",
                ("Until when is the reception in {name} staffed?", "reception hours in {name}?"),
                "The reception in {name} is staffed until {time}.",
            ),
            Fact(
                "The canteen in {name} serves lunch from {time}.",
                ("When does the canteen in {name} serve lunch?", "From when can I have lunch in {name}?"),
                "Lunch is served in {name} from {time}.",
            ),
            Fact(
                "The office in {name} is closed on {date}.",
                ("When is the {name} office closed?", "On what day is {name} closed?"),
                "The office in {name} is closed on {date}.",
            ),
        ),
        ("Ring twice at the side door.", "Dogs stay outside.", "Parcels are kept for a week."),
    ),
    Subject(
        "Leave and working time",
        TEAMS,
        (
            Fact(
                "In {name} everyone has {n} days of leave.",
                ("How many days of leave does {name} have?", "How much holiday do people in {name} get?"),
                "In {name} everyone has {n} days of leave.",
            ),
            Fact(
                "{name} asks for leave {n} weeks ahead.",
                ("How early must people in {name} ask for leave?", "notice period for leave in {name}"),
                "In {name} leave must be asked for {n} weeks ahead.",
            ),
            Fact(
                "Core time in {name} begins at {time}.",
                ("When does core time begin in {name}?", "By when must I be at work in {name}?"),
                "Core time in {name} begins at {time}.",
            ),
        ),
        (
            "Public holidays are not counted.",
            "Talk to your colleagues first.",
            "A doctor's note is needed from day three.",
        ),
    ),
    Subject(
        "Service levels",
        GOODS,
        (
            Fact(
                "Faults of the {name} are answered within {n} hours.",
                ("How fast are faults of the {name} answered?", "What is the response time for the {name}?"),
                "Faults of the {name} are answered within {n} hours.",
            ),
            Fact(
                "Repairs of the {name} cost {money} an hour.",
                ("What does repairing a {name} cost?", "hourly rate for {name} repairs"),
                "Repairs of the {name} cost {money} an hour.",
            ),
            Fact(
                "{person} looks after customers of the {name}.",
                ("Who looks after customers of the {name}?", "Whom do I call about the {name}?"),
                "{person} looks after customers of the {name}.",
            ),
        ),
        ("Note the serial number first.", "Weekends are not counted.", "Photographs help."),
    ),
)
LISTS = (
    (
        "Bring the following to the {name} course:",
        "What do I need to bring to the {name} course?",
        COURSES,
        "Bring {}.",
    ),
    ("The {name} comes with:", "What comes with the {name}?", GOODS, "The {name} comes with {}."),
    ("Before you close the office in {name}:", "What must be done before the {name} office is closed?", PLACES, "{}."),
)
ITEMS = (
    (
        "a helmet",
        "safety shoes",
        "your staff card",
        "a pen",
        "last year's certificate",
        "gloves",
        "a high-visibility vest",
    ),
    ("a charger", "two cables", "a carrying case", "a wall bracket", "a spare battery", "a printed manual"),
    ("switch off the lights", "lock the side door", "empty the bins", "set the alarm", "close the windows"),
)


def staged(number: int, draw: random.Random) -> Iterator[Staged]:
    """So many questions; one in seven asks about a name of which the document says nothing."""
    for place in range(number):
        document = f"staged-{place}"
        yield _list(document, draw) if draw.random() < 0.12 else _statements(document, draw)


def _statements(source: str, draw: random.Random) -> Staged:
    subject = draw.choice(SUBJECTS)
    names = draw.sample(_listed(subject.names), draw.randint(3, 5))
    facts = draw.sample(subject.facts, min(len(subject.facts), draw.randint(1, 3)))
    drawn = {(name, fact): _values(draw) | {"name": name} for name in names for fact in facts}
    lines = [fact.says.format(**values) for (_, fact), values in drawn.items()] + list(subject.aside)
    draw.shuffle(lines)
    joiner = draw.choice((" ", " ", "\n\n", "\n- "))
    text = joiner.join(lines)
    document = Document(source, subject.title, text)
    name, fact = draw.choice(names), draw.choice(facts)
    if draw.random() < 1 / 7:
        missing = draw.choice([other for other in _listed(subject.names) if other not in names])
        return Staged(document, draw.choice(fact.asked).format(name=missing), (), "")
    answer = _answer(fact, drawn[name, fact])
    question = draw.choice(fact.asked).format(name=name)
    chance = draw.random()
    if chance < 0.15:  # a follow-up
        other = draw.choice([one for one in names if one != name])
        history = (Message("user", question), Message("assistant", answer))
        return Staged(
            document,
            draw.choice(("And {}?", "What about {}?")).format(other),
            history,
            _answer(fact, drawn[other, fact]),
        )
    if chance < 0.3 and len(facts) > 1:  # two wishes at once
        second = draw.choice([one for one in facts if one is not fact])
        also = draw.choice(second.asked).format(name=name)
        return Staged(document, f"{question} {also}", (), f"{answer} {_answer(second, drawn[name, second])}")
    return Staged(document, question, (), answer)


def _list(source: str, draw: random.Random) -> Staged:
    kind = draw.randrange(len(LISTS))
    says, asked, names, answer = LISTS[kind]
    chosen = draw.sample(_listed(names), 3)
    items = [draw.sample(ITEMS[kind], draw.randint(2, 4)) for _ in chosen]
    blocks = [
        says.format(name=name) + "".join(f"\n- {item}" for item in these)
        for name, these in zip(chosen, items, strict=True)
    ]
    at = draw.randrange(3)
    listed = ", ".join(items[at][:-1]) + f" and {items[at][-1]}"
    told = answer.format(listed, name=chosen[at])
    return Staged(
        Document(source, "Check lists", "\n\n".join(blocks)),
        asked.format(name=chosen[at]),
        (),
        told[0].upper() + told[1:],
    )


def _listed(names: str) -> list[str]:
    return names.split(", ")


def _answer(fact: Fact, values: dict[str, str]) -> str:
    return (fact.answer or fact.says).format(**values)


def _values(draw: random.Random) -> dict[str, str]:
    return {
        "n": str(draw.choice((2, 3, 4, 6, 8, 10, 12, 14, 18, 20, 24, 25, 28, 30, 36, 45, 48, 60, 75, 90, 120))),
        "money": draw.choice(("£{}", "{} euros", "${}")).format(
            draw.choice((8, 12, 18, 25, 40, 65, 95, 110, 145, 180, 240))
        ),
        "time": f"{draw.randint(6, 18):02}:{draw.choice(('00', '15', '30', '45'))}",
        "date": f"{draw.randint(1, 28)} {draw.choice(_listed(MONTHS))} {draw.randint(2024, 2029)}",
        "person": draw.choice(_listed(PEOPLE)),
    }
