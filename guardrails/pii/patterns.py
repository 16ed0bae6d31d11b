"""Personal values that Presidio has no recognizer for: shapes, check digits, and the words they stand beside.

The expressions are run by the ``regex`` package, which Presidio brings: it can look behind over a variable length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guardrails.pii.addresses import ON_A_FORM, STREET, WITH_TOWN, on_a_form
from guardrails.pii.domains import web_address
from guardrails.pii.recognizers import PASSPORT


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
_BIRTH = (
    r"(?:born|birth\w*|d\.?o\.?b|geboren|geb\.|geburts\w*|nacid[oa]|nacimiento|née?\sle|naissance|nat[oa]\sil|geboortedatum"
    r"|nascita|nascimento|nascid[oa])"
)
# The first date behind the word, in its line or the next one unless that has a label of its own; or just before it.
# Whether a date begins here is asked first: looking behind at every character took most of the time of all rules.
DATE_OF_BIRTH = (
    rf"(?={DATE})(?:(?<=(?<!\w){_BIRTH}[^\d\n]{{0,40}}(?:\n[^\d\n:]{{0,24}})?){DATE}"
    rf"|{DATE}(?=[^\d\n.]{{0,30}}\bgeboren|\s?\(\s?{_BIRTH}))"
)

# Ages that can only be a person's; the age limits of a rule name nobody. Of "34 years old" the number counts, elsewhere
# its unit too: so the public data sets label them.
_N = r"(?:1[01]\d|\d{1,2})"
_RANGE = (
    r"(?![\d.,/-]*\d|\s?(?:[-\u2013]|to|and|or|bis|und|oder|y|o|a|à|et|ou)\s?"
    r"(?:\d|over|under|above|below|older|younger|more|less|mehr|älter|jünger|más|menos|plus|moins))"
)
_PERSON_DE = (
    r"(?:Patient|Mann|Frau|Junge|Mädchen|Kind|Säugling|Sohn|Tochter|Mutter|Vater|Bruder|Schwester|Schüler|Student|Kolleg"
    r"|Mitarbeiter|Rentner|Fahrer|Bewerber|Kläger|Zeug|Angestellte|Beschuldigte|Angeklagte|Versicherte)"
)
_PERSON_ES = (
    r"(?:pacientes?|var[óo]n|mujer|hombre|niñ[oa]|beb[ée]|lactante|chic[oa]|joven|señora?|hij[oa]|ancian[oa]|adolescente|masculino"
    r"|femenin[oa]|escolar|herman[oa]|madre|padre|emplead[oa]|trabajador|trabajadora)"
)
_PERSON_FR = (
    r"(?:patiente?|homme|femme|garçon|fille|fillette|enfant|nourrisson|fils|mère|père|frère|sœur|jeune|dame|monsieur|retraitée?"
    r"|étudiante?|salariée?|employée?|veuve|veuf|époux|épouse)"
)
AGE = (
    rf"(?<![\w.,/-])(?=\d)(?:{_N}(?=[ -](?:years?|yrs?|months?|weeks?)[ -]olds?\b|\s?y/?o\b|\s(?:years|yrs)\sof\sage\b)"
    rf"|(?<=\b(?:aged|age:|alter:)\s{{0,2}}|(?<!\b(?:from|under|over|above|below|before|until|reach|minimum|the\sretirement)\s(?:the\s)?)"
    rf"\bage\sof\s){_N}\b{_RANGE}(?!\s?%)"
    rf"|{_N}\sJahren?(?=\salt\b)|(?<=\bim\sAlter\svon\s){_N}\sJahren\b{_RANGE}"
    rf"|{_N}(?=[- ]?jährige[nrsm]?\s{_PERSON_DE}|[- ]?(?-i:Jährige))"
    rf"|{_N}\s(?:años|meses)(?=\sde\sedad\b)|(?<=\b(?:edad|âge|age)\s?:\s{{0,3}}){_N}(?:\s(?:años|meses|ans|mois))?\b{_RANGE}"
    rf"|(?<=\b(?:{_PERSON_ES}|(?-i:\p{{Lu}}\p{{Ll}}{{1,30}})(?=,)),?\sde\s){_N}\s(?:años|meses)\b(?!\sde\s)"
    rf"|(?<=\b(?:âgée?\s|{_PERSON_FR}\s|(?-i:\p{{Lu}}\p{{Ll}}{{1,30}}),\s)(?:de|d['\u2019])\s?){_N}\s(?:ans|mois)\b(?!\sd)"
    rf"|(?<=\b(?:elle|il|qui)\sa\s|\bj['\u2019]ai\s){_N}\sans\b(?!\sd))"
)

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


def french_tax_number(value: str) -> bool:
    """The last three of thirteen digits are the first ten, as a number, modulo 511."""
    number = "".join(map(str, digits(value)))
    return len(number) == 13 and int(number[:10]) % 511 == int(number[10:])


def belgian_number(value: str) -> bool:
    """The last two of eleven digits are 97 less the first nine modulo 97; since 2000 a 2 is put before them."""
    number = "".join(map(str, digits(value)))
    return len(number) == 11 and int(number[9:]) in (97 - int(born + number[:9]) % 97 for born in ("", "2"))


def _weighted(value: str, weights: tuple[int, ...]) -> int:
    return sum(map(int.__mul__, digits(value), weights))


def dutch_number(value: str) -> bool:
    """The eleven test: the last of nine digits counts negative."""
    return any(digits(value)) and _weighted(value, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def portuguese_number(value: str) -> bool:
    """Check digit modulo 11; 10 is written as 0."""
    return (11 - _weighted(value, (9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11 % 10 == digits(value)[-1]


def irish_number(value: str) -> bool:
    """Check letter modulo 23; a second letter, since 2013, counts nine times."""
    letters = [ord(character) - ord("A") + 1 for character in value.upper() if character.isalpha()]
    second = letters[1] % 23 if len(letters) > 1 else 0  # W, of before 2013, counts nothing
    return (_weighted(value, (8, 7, 6, 5, 4, 3, 2)) + 9 * second) % 23 == letters[0] % 23


def iban(value: str) -> bool:
    """ISO 13616: moved to the end, the first four characters make the remainder 1 modulo 97."""
    whole = "".join(filter(str.isalnum, value.upper()))
    return int("".join(str(int(character, 36)) for character in whole[4:] + whole[:4])) % 97 == 1


# Countries of the SWIFT register that Presidio does not know yet, and the length of an IBAN there.
IBANS = {
    "BI": 27, "DJ": 27, "FK": 18, "HN": 28, "MN": 20, "NI": 28, "OM": 23, "RU": 33, "SD": 18, "SO": 23, "ST": 25,
    "SV": 28, "YE": 30,
}  # fmt: skip
# Beginnings by which services mark their keys, so that they are noticed where they should not be.
_KEYS = (
    r"sk-|sess-|gh[pousr]_|github_pat_|gl(?:pat|ptt|dt|rt|cbt|oas|soat|ft|agent|imt|ffct)-|hf_|api_org_|xai-|gsk_|pplx-|r8_|npm_"
    r"|[rsp]k_(?:live|test)_|whsec_|dop_v1_|doo_v1_|shp(?:at|ca|pa|ss)_|dckr_pat_|sbp_|lin_api_|ntn_|glsa_|glc_|phx_|NRAK-|PMAK-|HRKU-"
    r"|sntrys_|rubygems_|pul-|hvs\.|GOCSPX-|ya29\.|sq0(?:atp|csp)-|EAAA|ATATT3|dapi|key-(?=[0-9a-f]{32})|AGE-SECRET-KEY-"
)


def secret(value: str) -> bool:
    """Mixed as passwords are: letters and either a digit or a sign, so that no plain word counts."""
    return any(c.isalpha() for c in value) and any(c.isdecimal() or c in "!$%&*+?@^_~#" for c in value)


RULES: tuple[Rule, ...] = (
    Rule(
        "CREDIT_CARD", "a payment card number", r"\b\d(?:[ -]?\d){11,18}\b", valid=luhn,
        words=("card", "visa", "mastercard", "amex", "maestro", "karte", "kreditkarte", "tarjeta", "carte"),
    ),
    Rule("DATE_OF_BIRTH", "a date of birth", DATE_OF_BIRTH, score=0.75),
    Rule("ADDRESS", "an address", WITH_TOWN, score=0.9, exact_case=True),
    Rule("ADDRESS", "an address", STREET, score=0.7, exact_case=True),
    Rule("ADDRESS", "an address", ON_A_FORM, score=0.8, valid=on_a_form, exact_case=True),
    Rule("AGE", "an age", AGE, score=0.7),
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
        "FR_TAX_ID", "a French tax number", score=0.3, shape=r"\b[0-3]\d(?: ?\d){11}\b", valid=french_tax_number,
        words=("spi", "numéro fiscal", "n° fiscal", "identifiant fiscal", "impôts", "tax number"),
    ),
    Rule(
        "FR_ID_CARD", "a French identity card number", score=0.05, exact_case=True,
        shape=r"\b(?:\d{12}|(?=[A-Z0-9]{0,8}\d)[A-Z0-9]{9})\b",
        words=("carte d'identité", "carte d\u2019identité", "carte nationale d", "cni", "cnie"),
    ),
    Rule("FR_PASSPORT", "a French passport number", score=0.05, shape=r"\b\d\d ?[A-Z]{2} ?\d{5}\b", words=PASSPORT),
    Rule(
        "FR_SIREN", "a French company number", score=0.05, shape=r"\b\d{3} ?\d{3} ?\d{3}(?: ?\d{5})?\b", valid=luhn,
        words=("siren", "siret", "rcs"),
    ),
    Rule(
        "BE_NATIONAL_NUMBER", "a Belgian national number", score=0.3,
        shape=r"\b\d\d[. ]?\d\d[. ]?\d\d[- ]?\d{3}[. ]?\d\d\b",
        words=("rijksregister", "registre national", "numéro national", "national number", "insz", "niss"),
        valid=belgian_number,
    ),
    Rule(
        "NL_BSN", "a Dutch citizen number", score=0.05, shape=r"\b\d{4}[. ]?\d{2}[. ]?\d{3}\b", valid=dutch_number,
        words=("bsn", "burgerservice", "sofinummer", "citizen service number"),
    ),
    Rule(
        "PT_NIF", "a Portuguese tax number", score=0.05, valid=portuguese_number,
        shape=r"\b[1-35-9]\d{2} ?\d{3} ?\d{3}\b",
        words=("nif", "contribuinte"),
    ),
    Rule(
        "IE_PPS", "an Irish public service number", score=0.3, shape=r"\b\d{7} ?[A-W][A-IW]?\b", valid=irish_number,
        words=("pps", "ppsn", "personal public service"),
    ),
    Rule(
        "IBAN_CODE", "an IBAN", score=0.9, valid=iban,
        shape="|".join(rf"\b{country}\d\d(?: ?[A-Z0-9]){{{length - 4}}}\b" for country, length in IBANS.items()),
    ),
    Rule("MAC_ADDRESS", "a MAC address", r"\b(?!FF.FF.FF.FF.FF.FF)[A-F]{2}([:-])(?:[A-F]{2}\1){4}[A-F]{2}\b"),
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
        shape=rf"(?<![\w-])(?:(?:{_KEYS})[\w-]{{20,}}|pypi-[\w-]{{40,}}|(?:xox[abceoprs]|xapp)-[\w-]{{10,}}|(?:AKIA|ASIA)[A-Z0-9]{{16}}"
        r"|AIza[\w-]{35}|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}|SK[0-9a-f]{32}(?!\w)"
        r"|\d{8,10}:AA[\w-]{33}(?![\w-])|[A-Za-z0-9+/]{86}==|(?<=hooks\.slack\.com/(?:services|workflows)/)[\w/]{20,}"
        r"|(?<=[?&]sig=)[\w%+/-]{40,}=*)",
    ),
    Rule(
        "SECRET", "a private key", score=0.95, exact_case=True,
        shape=r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]{1,3500}(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?)?",
    ),
    Rule(
        "SECRET", "a password", score=0.8, valid=secret,
        shape=r"(?<![^\W_])(?:password|passwd|pwd|passphrase|passwort|kennwort|contraseña|mot\s+de\s+passe|api[ _-]?key"
        r"|secret(?:[ _-](?:access[ _-])?key)?|(?:shared[ _-]?)?(?:access|account)[ _-]?(?:key|token)"
        r"|(?:auth|api|bot)[ _-]?token|bearer|client[ _-]secret)"
        r"[\"']?\s{0,2}(?:[:=]|\bis\b|\bist\b|\bes\b|\best\b)\s{0,2}[\"'`]?"
        r"(?P<value>[^\s\"'`<>;]{6,200}(?<![.,;:!?)]))",
    ),
    Rule("SECRET", "a password in an address", r"://[^\s/:@]{0,80}:(?P<value>[^\s/@]{1,80})@", score=0.9),
    Rule(
        "PERSON", "a name with its title", score=0.75, exact_case=True,
        shape=rf"{TITLES}{NOT_A_NAME}{NAME}(?:[ ](?:{PARTICLE}[ ]){{0,2}}{NOT_A_NAME}{NAME}){{0,3}}",
    ),
)  # fmt: skip
