"""Personal values that Presidio has no recognizer for: shapes, check digits, and the words they stand beside.

The expressions are run by the ``regex`` package, which Presidio brings: it can look behind over a variable length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guardrails.pii.domains import web_address


@dataclass(frozen=True, slots=True)
class Rule:
    """One shape of one kind of value. The value is the group of that name; without one, the whole match."""

    label: str
    what: str  # for an auditor, as in "looks like ..."
    shape: str
    score: float = 0.6
    words: tuple[str, ...] = ()  # beside which the value is expected; empty: anywhere
    valid: Callable[[str], bool] | None = None  # check digits
    exact_case: bool = False


MONTHS = (
    r"(?:jan(?:uar[yi]?)?|ene(?:ro)?|janvier|feb(?:ruar[yi]?)?|febrero|février|mar(?:ch|zo|s)?|märz|apr(?:il)?|abril|avril"
    r"|may|mai|mayo|june?|juni[o]?|juin|july?|juli[o]?|juillet|aug(?:ust)?|agosto|août|sep(?:t(?:ember|iembre|embre)?)?"
    r"|o[ck]t(?:ober|ubre|obre)?|nov(?:ember|iembre|embre)?|de[cz](?:ember)?|diciembre|décembre)\.?"
)
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
DATE = (
    rf"(?:\b(?:{_DAY}\.\s?{_MONTH}\.\s?|{_DAY}/{_MONTH}/|{_MONTH}/{_DAY}/)(?:{_YEAR}|\d\d)\b"
    rf"|\b(?:{_DAY}-{_MONTH}|{_MONTH}-{_DAY})-{_YEAR}\b|\b{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b"
    rf"|\b(?:{_DAY}(?:\.|st|nd|rd|th|er)?\s+(?:of\s+|de\s+)?)?{MONTHS},?\s+(?:del?\s+)?{_YEAR}\b"
    rf"|\b{MONTHS}\s+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}\b)"
)
BIRTH = (
    "born", "birth", "dob", "geboren", "geb.", "geburts", "nacid", "nacimiento", "né le", "née le", "naissance",
    "nato il",
)  # fmt: skip

_IN_URL = r"[^\s<>\"'(){}|\\^`\[\]]"
URL = (
    rf"\b(?:https?://|www\d{{0,3}}\.){_IN_URL}{{3,2000}}(?<![.,;:!?])"
    rf"|(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}[a-z]{{2,24}}\b(?![@\w])(?:/{_IN_URL}{{0,2000}}(?<![.,;:!?]))?"
)

NUMBER = r"(?:number|numbers|num|no|nr|nummer|número|numéro|n°|nº|id|code|#)"
COLON = r"\s*\.?\s*(?:is|ist|es|est)?\s*[:#=]?\s*"
# Mark of at least four digits, with letters and dashes before and between: E-20417, 4711-0815, CUST00123.
RECORD = r"(?:[A-Z]{1,5}[-/]?)?\d(?:[-/ ]?\d){3,13}\b"

NAME = r"(?:[A-ZÀ-ÖØ-Þ][\p{L}\u2019'-]*\p{Ll}[\p{L}\u2019'-]*|[A-ZÀ-ÖØ-Þ]\.)"
PARTICLE = r"(?:von|van|vom|zu|zum|zur|de|del|della|der|den|di|da|dos|du|la|le|ten|ter|al|el|bin|ibn)"
NOT_A_NAME = (
    r"(?!(?:Dr|Prof|Mr|Mrs|Ms|Manager|Engineer|Director|Developer|Officer|Analyst|Consultant|President|Vice|Chair|Who|The|Universe"
    r"|Präsident(?:in)?|Minister(?:in)?|Direktor(?:in)?|Doktor|Professor(?:in)?|Kollegin|Kollege)\b)"
)
TITLES = (
    r"(?<=\b(?:Mr|Mrs|Ms|Mx|Dr|Prof|Messrs|Sra?|Srta)\.\s{1,2}|\b(?:Mr|Mrs|Ms|Mx|Dr|Prof|Professor|Herrn?|Frau|Señora?"
    r"|Señorita|Monsieur|Madame|Mme|Mlle|Doña|D\.ª|Dña\.)\s{1,2}|\b(?:Dr|Prof)\.\s(?:med|phil|jur|iur|rer|h\.c|habil|nat)\.\s)"
)


def digits(value: str) -> list[int]:
    return [int(character) for character in value if character.isdecimal()]


def luhn(value: str) -> bool:
    """Check digit of payment cards, ISO/IEC 7812."""
    doubled = [
        digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(digits(value)[::-1])
    ]
    return any(doubled) and sum(doubled) % 10 == 0


def french_insee(value: str) -> bool:
    """Key of the French social security number; Corsica's 2A and 2B count as 19 and 18."""
    whole = "".join(character for character in value.upper() if character.isalnum())
    number = whole[:13].replace("2A", "19").replace("2B", "18")
    return len(whole) == 15 and number.isdecimal() and int(whole[13:]) == 97 - int(number) % 97


def spanish_social_security(value: str) -> bool:
    """The last two of twelve digits are the first ten, as a number, modulo 97."""
    number = "".join(map(str, digits(value)))
    return len(number) == 12 and int(number[:10]) % 97 == int(number[10:])


def swiss_ahv(value: str) -> bool:
    """Check digit of the Swiss insurance number: EAN-13."""
    number = digits(value)
    return len(number) == 13 and sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(number)) % 10 == 0


def austrian_insurance(value: str) -> bool:
    """The fourth of ten digits is the weighted sum of the others modulo 11."""
    number = digits(value)
    weights = (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)
    return len(number) == 10 and sum(map(int.__mul__, number, weights)) % 11 == number[3]


def secret(value: str) -> bool:
    """Mixed as passwords are: letters and either a digit or a sign, so that no plain word counts."""
    return any(c.isalpha() for c in value) and any(c.isdecimal() or c in "!$%&*+?@^_~#" for c in value)


RULES: tuple[Rule, ...] = (
    Rule(
        "CREDIT_CARD", "a payment card number", r"\b\d(?:[ -]?\d){11,18}\b", valid=luhn,
        words=("card", "visa", "mastercard", "amex", "maestro", "karte", "kreditkarte", "tarjeta", "carte"),
    ),
    Rule("DATE_OF_BIRTH", "a date of birth", DATE, score=0.7, words=BIRTH),
    Rule("URL", "a web address", URL, score=0.5, valid=web_address),
    Rule("DATE_TIME", "a date", DATE, score=0.5),
    Rule(
        "FR_SOCIAL_SECURITY", "a French social security number", valid=french_insee, score=0.9,
        shape=r"\b[1-478] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d\b",
    ),
    Rule(
        "ES_SOCIAL_SECURITY", "a Spanish social security number", r"\b\d{2}[ /-]?\d{8}[ /-]?\d{2}\b",
        words=("seguridad social", "nass", "naf", "nuss", "social security"), valid=spanish_social_security,
    ),
    Rule("CH_AHV", "a Swiss insurance number", r"\b756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}\b", score=0.9, valid=swiss_ahv),
    Rule(
        "AT_SOCIAL_SECURITY", "an Austrian insurance number", r"\b\d{4} ?\d{6}\b", valid=austrian_insurance,
        words=("svnr", "sv-nummer", "sozialversicherung", "versicherungsnummer"),
    ),
    Rule(
        "EMPLOYEE_ID", "a staff number", score=0.7,
        shape=rf"\b(?:(?:employee|staff|personnel|payroll|mitarbeiter|personal|empleado|employé)[ -]?{NUMBER}"
        rf"|personalnummer|mitarbeiternummer|matricule|personal-nr){COLON}(?P<value>{RECORD})",
    ),
    Rule(
        "CUSTOMER_ID", "a customer number", score=0.7,
        shape=rf"\b(?:(?:customer|client|kunden|membership|policy|cliente)[ -]?{NUMBER}"
        rf"|kundennummer|numéro\s+de\s+client|número\s+de\s+cliente){COLON}(?P<value>{RECORD})",
    ),
    Rule(
        "MEDICAL_RECORD_NUMBER", "a medical record number", score=0.7,
        shape=rf"\b(?:(?:patient|medical record|case|hospital|patienten|paciente|historia clínica)[ -]?{NUMBER}"
        rf"|mrn|nhc|cipa|nass|nuhsa|episodio|fallnummer"
        rf"|n[º°]\s?col(?:egiado)?|patientennummer|numéro\s+de\s+(?:dossier|patient)|número\s+de\s+(?:historia|colegiado))(?:\s+clínica)?{COLON}(?P<value>{RECORD})",
    ),
    Rule(
        "SECRET", "an access key", score=0.95, exact_case=True,
        shape=r"(?<![\w-])(?:sk-(?:proj-|ant-)?[\w-]{20,}|gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|hf_\w{30,}|xox[abeoprs]-[\w-]{10,}"
        r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|[rsp]k_(?:live|test)_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|npm_\w{30,}|pypi-[\w-]{40,}"
        r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})",
    ),
    Rule(
        "SECRET", "a private key", score=0.95, exact_case=True,
        shape=r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[^-]{1,3500}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?)?",
    ),
    Rule(
        "SECRET", "a password", score=0.8, valid=secret,
        shape=r"\b(?:password|passwd|passphrase|passwort|kennwort|contraseña|mot\s+de\s+passe|api[ _-]?key"
        r"|secret(?:[ _-]key)?|access[ _-](?:key|token)|auth[ _-]?token|bearer|client[ _-]secret)"
        r"\s{0,2}(?:[:=]|\bis\b|\bist\b|\bes\b|\best\b)\s{0,2}[\"'`]?"
        r"(?P<value>[^\s\"'`<>]{6,200}(?<![.,;:!?)]))",
    ),
    Rule("SECRET", "a password in an address", r"://[^\s/:@]{1,80}:(?P<value>[^\s/@]{1,80})@", score=0.9),
    Rule(
        "PERSON", "a name with its title", score=0.75, exact_case=True,
        shape=rf"{TITLES}{NOT_A_NAME}{NAME}(?:[ ](?:{PARTICLE}[ ]){{0,2}}{NOT_A_NAME}{NAME}){{0,3}}",
    ),
)  # fmt: skip
