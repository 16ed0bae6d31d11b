"""Plain words for what the program calls by name. Nothing here comes from a document, a question or the model."""

from __future__ import annotations

from datetime import UTC, datetime

from guardrails.types import Action

PERSONAL_DATA = {
    "ADDRESS": "address",
    "AGE": "age",
    "CREDIT_CARD": "card number",
    "CRYPTO": "wallet address",
    "DATE_OF_BIRTH": "date of birth",
    "DATE_TIME": "date",
    "DENIED": "word on the private list",
    "EMAIL_ADDRESS": "e-mail address",
    "EMPLOYEE_ID": "staff number",
    "IBAN_CODE": "bank account",
    "IP_ADDRESS": "IP address",
    "LOCATION": "place",
    "MAC_ADDRESS": "device address",
    "MEDICAL_LICENSE": "medical licence",
    "NATIONAL_ID": "national ID number",
    "NRP": "personal attribute",
    "ORGANIZATION": "organisation",
    "PASSPORT": "passport number",
    "PASSWORD": "password",
    "PERSON": "name",
    "PHONE_NUMBER": "phone number",
    "SECRET": "secret",
    "TITLE": "title",
    "UK_NHS": "NHS number",
    "UK_NINO": "national insurance number",
    "URL": "web address",
    "US_BANK_NUMBER": "bank account",
    "US_DRIVER_LICENSE": "driving licence",
    "US_ITIN": "tax number",
    "US_PASSPORT": "passport number",
    "US_SSN": "social security number",
}
# What the rules for answers leave out, whoever wrote it.
FORBIDDEN = {"IMAGE": "image", "INSTRUCTIONS": "own instructions", "LINK": "link", "MARKUP": "markup"}
VERDICTS = {"right": "Right to flag", "wrong": "Wrongly flagged", "unsure": "Unsure"}
OUTCOMES = {
    "answered": "Answered",
    "quoted": "Answered with quotations only",
    "refused": "The documents do not answer this",
    "withheld": "Withheld",
    "stopped": "Stopped by the reader",
}
GUARDS = {
    "pii": "Personal data",
    "grounding": "Grounding",
    "injection": "Instructions to the assistant",
    "harm": "Harm",
    "output": "Links and markup",
    "passages": "Passages",
}
REASONS = {  # for which an answer is queued for review
    "assistant failure": "the answer broke off",
    "attempt to instruct the assistant": "tries to instruct the assistant",
    "forbidden link or markup": "link, image or markup left out",
    "generation failure": "the writing model failed",
    "guard failure": "a check could not be made",
    "harmful words": "may hurt somebody",
    "invented personal data": "personal data made up by the model",
    "not closed": "ended in the middle",
    "not supported": "not supported by the documents",
    "quarantined passage": "a passage was set aside",
    "user report": "its reader says that something is wrong",
}
RATINGS = {  # what a reader may say is the matter with an answer
    "wrong": "It is wrong",
    "incomplete": "Something is missing",
    "source": "The source does not say this",
    "outdated": "It is out of date",
    "harmful": "It is harmful or private",
    "other": "Something else",
}
STEPS = {"asked": "Question", "searched": "Passages", "sentence": "Sentence"}
STATUSES = {"ran": "ran", "skipped": "switched off", "timed out": "timed out", "failed": "failed"}
KINDS = {
    "pii": "personal data",
    "supported": "supported",
    "unsupported": "not supported",
    "guard_failed": "guard failed",
    "injection": "tries to steer the assistant",
    "harm": "harmful",
    "output": "not allowed in an answer",
}
UNSUPPORTED = {  # what of a sentence is not supported, as its mark says
    "number": "number not in the sources",
    "date": "date not in the sources",
    "name": "name not in the sources",
    "unit": "other unit in the sources",
    "negation": "sources say the opposite",
    "relation": "other way round in the sources",
    "sentence": "not in the sources",
}
COMPARED = {  # what a passage does to a sentence
    "supports": "supports this sentence",
    "does not support": "does not support this sentence",
    "contradicts": "contradicts this sentence",
}
ACTIONS = {
    Action.SHOW.name: "shown",
    Action.REDACT.name: "shown, redacted",
    Action.FLAG.name: "shown, flagged",
    Action.DROP.name: "left out",
    Action.WITHHOLD.name: "withheld",
}

REPAIRS = {  # what is done about a sentence that nothing supports
    "hedge": "shown as something that the documents do not say",
    "quote": "replaced by the document's own words",
    "ask": "written once more",
}
REPAIRED = {  # what came of it
    "passed": "passed the checks",
    "dropped": "a check did not let that pass",
    "withheld": "a check could not be made, or withheld the answer",
    "declined": "the model found nothing in the sources",
    "model failed": "the model failed",
    "none fits": "no sentence of the sources fits",
    "said before": "it was said before",
    "asked enough": "not tried: enough sentences were written once more",
    "not finished": "not finished",
}


def personal(label: str) -> str:
    """What a redaction label stands for: ``PHONE_NUMBER`` -> ``phone number``."""
    stem = label.strip("<>").rstrip("0123456789_")
    return PERSONAL_DATA.get(stem, stem.replace("_", " ").lower() or "personal data")


def hidden(label: str, ending: str = "") -> str:
    """What stands in place of a hidden value: ``CREDIT_CARD``, 4242 -> ``card number ending in 4242``."""
    if label in FORBIDDEN:
        return f"{FORBIDDEN[label]} left out"
    return f"{personal(label)} ending in {ending}" if ending else f"{personal(label)} hidden"


def unsupported(label: str) -> str:
    return UNSUPPORTED.get(label, UNSUPPORTED["sentence"])


def guard(name: str) -> str:
    return GUARDS.get(name, name)


def action(value: object) -> str:
    """An action, given as the enum, its name in either case or its number."""
    if isinstance(value, int):
        return ACTIONS[Action(value).name]
    return ACTIONS.get(str(value).upper(), str(value))


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """In its two largest units: ``1 h 5 min``, ``40 s``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def day(when: datetime) -> str:
    return f"{when.day} {when:%b %Y}"


def minute(when: datetime) -> str:
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return f"{day(when)} {when:%H:%M} {when.tzname() or 'UTC'}"


def age(when: datetime, now: datetime | None = None) -> str:
    """How long ago, in one unit; a time without zone is taken as UTC."""
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    seconds = max(0.0, ((now or datetime.now(UTC)) - when).total_seconds())
    for size, noun in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{count(int(seconds // size), noun)} ago"
    return "just now"
