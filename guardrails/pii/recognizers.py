"""Which of Presidio's recognizers are on, which are off, and why: a table, read from top to bottom.

Every recognizer runs on every text, whatever its language, so each is registered once and its words are those of
all the languages in which the value may be named. A value is reported

* wherever it stands, where its shape or its check digits are so specific that chance rarely makes them (``anywhere``);
* otherwise only beside one of its words, or where the whole text is nothing but the value: then it was asked for.

A recognizer that Presidio brings in a later version is in neither table, and a test says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """How one recognizer is used."""

    what: str  # for an auditor, as in "looks like ..."
    words: tuple[str, ...]  # beside which the value is expected; lower case, matched at the beginning of a word
    anywhere: bool = False
    exact_case: bool = False  # Presidio ignores case unless told
    not_after: tuple[str, ...] = ()  # directly before the value, these say that it is something else


PASSPORT = ("passport", "reisepass", "passnummer", "pass-nr", "pasaporte", "passeport", "passaporto", "travel document")
DRIVING = ("driving licen", "driver licen", "driver's licen", "drivers licen", "führerschein", "fahrerlaubnis")
PLATE = ("number plate", "license plate", "licence plate", "plate", "vehicle", "kennzeichen", "kfz", "matrícula")
DOCTOR = ("arztnummer", "lanr", "arzt-nr", "arzt nr", "vertragsarzt", "hausarzt", "facharzt")
TAX = ("tax id", "tax number", "taxpayer", "tin", "steuer")

USED: dict[str, Use] = {
    # Shape or check digits are enough.
    "CreditCardRecognizer": Use(
        "a payment card number", ("card", "visa", "mastercard", "amex", "karte", "tarjeta", "carte"), anywhere=True
    ),
    "IbanRecognizer": Use("an IBAN", ("iban", "bank", "konto", "cuenta", "compte"), anywhere=True),
    "CryptoRecognizer": Use("a cryptocurrency wallet", ("wallet", "btc", "bitcoin", "crypto"), anywhere=True),
    "EmailRecognizer": Use("an e-mail address", ("email", "e-mail", "correo", "courriel"), anywhere=True),
    "IpRecognizer": Use(
        "an IP address",
        ("ip", "ipv4", "ipv6"),
        anywhere=True,
        not_after=("version", "v", "release", "build", "section", "abschnitt", "ziffer", "kapitel", "chapter", "§"),
    ),
    "MacAddressRecognizer": Use("a MAC address", ("mac", "hardware address", "ethernet"), anywhere=True),
    "UsItinRecognizer": Use(
        "a US taxpayer number", ("itin", *TAX), anywhere=True
    ),  # before the SSN: none begins with 9
    "UsSsnRecognizer": Use(
        "a US social security number", ("social security", "ssn", "ssid"), anywhere=True
    ),  # its loose patterns score 0.05: only beside the words
    "UsMbiRecognizer": Use("a US Medicare number", ("medicare", "mbi", "beneficiary"), anywhere=True),
    "UkNinoRecognizer": Use(
        "a UK national insurance number", ("national insurance", "ni number", "nino"), anywhere=True
    ),
    "UkDrivingLicenceRecognizer": Use("a UK driving licence number", (*DRIVING, "dvla"), anywhere=True),
    "ItFiscalCodeRecognizer": Use("an Italian fiscal code", ("codice fiscale", "cf"), anywhere=True),
    "EsNifRecognizer": Use("a Spanish NIF", ("dni", "nif", "documento nacional", "identificación"), anywhere=True),
    "EsNieRecognizer": Use("a Spanish NIE", ("nie", "identificación de extranjero"), anywhere=True),
    "DeSocialSecurityRecognizer": Use(
        "a German pension insurance number",
        ("rentenversicherung", "sozialversicherung", "versicherungsnummer", "rvnr", "svnr", "sv-nummer"),
        anywhere=True,
    ),
    "FiPersonalIdentityCodeRecognizer": Use(
        "a Finnish personal identity code", ("hetu", "henkilötunnus", "personal identity code"), anywhere=True
    ),
    "KrRrnRecognizer": Use("a Korean resident number", ("resident registration", "rrn", "주민등록"), anywhere=True),
    "InGstinRecognizer": Use("an Indian tax number", ("gstin", "gst"), anywhere=True),
    # Check digits or shape that chance, or an order number, may well have: beside their words.
    "DeTaxIdRecognizer": Use("a German tax identification number", (*TAX, "idnr", "identifikationsnummer", "bzst")),
    "DeTaxNumberRecognizer": Use(
        "a German tax number", ("steuernummer", "steuer-nr", "steuer nr", "st.-nr", "finanzamt")
    ),
    "DeIdCardRecognizer": Use(
        "a German identity card number", ("personalausweis", "ausweis", "dokumentennummer", "identity card", "id card")
    ),
    "DePassportRecognizer": Use("a German passport number", PASSPORT),
    "DeFuehrerscheinRecognizer": Use("a German driving licence number", DRIVING),
    "DeHealthInsuranceRecognizer": Use(
        "a German health insurance number",
        ("krankenversicher", "versichertennummer", "kvnr", "krankenkasse", "gesundheitskarte"),
    ),
    "DeLanrRecognizer": Use("a German physician's number", DOCTOR),
    "DeBsnrRecognizer": Use("a German practice's number", ("betriebsstätte", "bsnr", "praxisnummer")),
    "DeKfzRecognizer": Use("a German number plate", PLATE, exact_case=True),
    "UkPassportRecognizer": Use("a UK passport number", PASSPORT),
    "EsPassportRecognizer": Use("a Spanish passport number", PASSPORT),
    "ItPassportRecognizer": Use("an Italian passport number", PASSPORT),
    "ItIdentityCardRecognizer": Use("an Italian identity card number", ("carta d'identità", "identità", "cie")),
    "ItDriverLicenseRecognizer": Use("an Italian driving licence number", ("patente", "licenza di guida")),
    "UsPassportRecognizer": Use("a US passport number", PASSPORT),
    "UsLicenseRecognizer": Use("a US driving licence number", (*DRIVING, "license number", "dl number")),
    "UsBankRecognizer": Use(
        "a bank account number", ("account", "acct", "kontonummer", "konto-nr", "número de cuenta", "numéro de compte")
    ),
    "AbaRoutingRecognizer": Use("a US bank routing number", ("aba", "routing")),
    "UsNpiRecognizer": Use("a US provider number", ("npi", "national provider", "provider id")),
    "UsHealthInsuranceMemberIdRecognizer": Use(
        "a US health plan member number", ("member id", "member number", "subscriber id", "subscriber number")
    ),
    "UsClaimNumberRecognizer": Use("a US health claim number", ("claim number", "claim id", "claim no", "claim #")),
    "UsPrescriptionNumberRecognizer": Use(
        "a prescription number", ("prescription number", "prescription no", "prescription #", "rx")
    ),
    "MedicalLicenseRecognizer": Use("a US medical licence", ("dea", "medical license", "medical licence")),
    "NhsRecognizer": Use("a UK NHS number", ("nhs", "national health service", "health authority")),
    "UkPostcodeRecognizer": Use("a UK postcode", ("postcode", "post code", "postal code", "address"), exact_case=True),
    "UkVehicleRegistrationRecognizer": Use("a UK number plate", (*PLATE, "vrn", "v5c")),
    "CaSinRecognizer": Use(
        "a Canadian social insurance number", ("sin", "social insurance", "nas", "assurance sociale")
    ),
    "CaPostalCodeRecognizer": Use(
        "a Canadian postal code", ("postal code", "code postal", "postcode"), exact_case=True
    ),
    "AuMedicareRecognizer": Use("an Australian Medicare number", ("medicare",)),
    "AuTfnRecognizer": Use("an Australian tax file number", ("tax file number", "tfn")),
    "InAadhaarRecognizer": Use("an Indian Aadhaar number", ("aadhaar", "uidai")),
    "InPanRecognizer": Use("an Indian PAN", ("permanent account number", "pan")),
    "InPassportRecognizer": Use("an Indian passport number", PASSPORT),
    "InVoterRecognizer": Use("an Indian voter number", ("voter", "epic", "elector")),
    "InVehicleRegistrationRecognizer": Use("an Indian number plate", (*PLATE, "rto")),
    "KrDriverLicenseRecognizer": Use("a Korean driving licence number", (*DRIVING, "운전면허", "면허번호")),
    "KrFrnRecognizer": Use("a Korean foreigner's number", ("foreigner registration", "frn", "외국인")),
    "KrPassportRecognizer": Use("a Korean passport number", (*PASSPORT, "여권")),
    "NgNinRecognizer": Use("a Nigerian identity number", ("nin", "nimc", "national identi")),
    "NgVehicleRegistrationRecognizer": Use("a Nigerian number plate", PLATE),
    "PhPassportRecognizer": Use("a Philippine passport number", PASSPORT),
    "PhTinRecognizer": Use("a Philippine taxpayer number", ("tin", "taxpayer", "bir")),
    "PhUmidRecognizer": Use("a Philippine identity number", ("umid", "crn", "common reference number")),
    "PlPeselRecognizer": Use("a Polish PESEL", ("pesel",)),
    "SePersonnummerRecognizer": Use(
        "a Swedish personal number", ("personnummer", "personnr", "pnr", "samordningsnummer", "svensk id")
    ),
    "SgFinRecognizer": Use("a Singapore identity number", ("nric", "fin")),
    "ThTninRecognizer": Use(
        "a Thai identity number", ("thai id", "thai national id", "tnin", "เลขประจำตัวประชาชน", "เลขบัตรประชาชน")
    ),
    "TrLicensePlateRecognizer": Use("a Turkish number plate", (*PLATE, "plaka"), exact_case=True),
    "TrNationalIdRecognizer": Use("a Turkish identity number", ("kimlik", "tckn", "tc no", "turkish id")),
    "ZaIdNumberRecognizer": Use(
        "a South African identity number", ("id number", "identity", "sa id", "rsa id", "african id")
    ),
    "ZaPassportRecognizer": Use("a South African passport number", PASSPORT),
    "ZaDriverLicenseRecognizer": Use("a South African driving licence number", (*DRIVING, "enatis", "natis")),
    "ZaLicensePlateRecognizer": Use("a South African number plate", (*PLATE, "enatis", "natis"), exact_case=True),
    "ZaIncomeTaxNumberRecognizer": Use("a South African tax number", ("sars", "tax reference", "income tax")),
    "ZaTrafficRegisterNumberRecognizer": Use("a South African traffic register number", ("traffic register", "trn")),
    # A company's number is personal where it is a sole trader's. The general policy shows these labels.
    "AuAbnRecognizer": Use("an Australian business number", ("abn", "australian business number")),
    "AuAcnRecognizer": Use("an Australian company number", ("acn", "australian company number")),
    "DeHandelsregisterRecognizer": Use(
        "a German company register number", ("handelsregister", "amtsgericht", "registergericht")
    ),
    "DeVatIdRecognizer": Use("a German VAT number", ("umsatzsteuer", "ust-id", "ustid", "vat", "mehrwertsteuer")),
    "ItVatCodeRecognizer": Use("an Italian VAT number", ("piva", "partita iva", "p. iva")),
    "KrBrnRecognizer": Use("a Korean business number", ("brn", "business registration", "사업자")),
    "SeOrganisationsnummerRecognizer": Use(
        "a Swedish company number",
        ("organisationsnummer", "orgnummer", "orgnr", "org nr", "org.nr", "company identity"),
    ),
    "SgUenRecognizer": Use("a Singapore company number", ("uen", "unique entity", "acra")),
    "UsProviderTaxIdRecognizer": Use("a US provider's tax number", ("provider tax", "tin", "ein")),
    "ZaCompanyRegistrationRecognizer": Use(
        "a South African company number", ("cipc", "company registration", "company reg")
    ),
    "ZaVatNumberRecognizer": Use("a South African VAT number", ("vat", "value added tax")),
    "DateRecognizer": Use("a date", (), anywhere=True),  # the policy shows them by default
}

COMPANIES = frozenset(
    {
        "AU_ABN",
        "AU_ACN",
        "DE_HANDELSREGISTER",
        "DE_VAT_ID",
        "FR_SIREN",
        "IT_VAT_CODE",
        "KR_BRN",
        "SE_ORGANISATIONSNUMMER",
        "SG_UEN",
        "US_PROVIDER_TAX_ID",
        "ZA_COMPANY_REGISTRATION",
        "ZA_VAT_NUMBER",
    }
)

OFF: dict[str, str] = {
    "DePlzRecognizer": "a German postcode names a town, and five digits are many things",
    "UuidRecognizer": "identifies a record of software, seldom a person",
    "UsPriorAuthorizationNumberRecognizer": "one country's insurers; words like approval are common",
    "UsReferralNumberRecognizer": "one country's insurers; words like referral are common",
    "PhoneRecognizer": "phones.py reads phone numbers: this one takes any valid run of digits for one",
    "UrlRecognizer": "patterns.py has a rule: this one is slow, and takes any file's name for an address",
    "ZaMobileNumberRecognizer": "phones.py reads phone numbers",
    "ZaTelephoneNumberRecognizer": "phones.py reads phone numbers",
    # They need a model, which comes with a trained head of our own, or a service outside.
    "AzureAILanguageRecognizer": "sends the text to a service",
    "AzureHealthDeidRecognizer": "sends the text to a service",
    "AzureOpenAILangExtractRecognizer": "sends the text to a service",
    "BasicLangExtractRecognizer": "sends the text to a model",
    "LangExtractRecognizer": "sends the text to a model",
    "GLiNERRecognizer": "needs a model that is not installed",
    "HuggingFaceNerRecognizer": "needs a model that is not installed",
    "MedicalNERRecognizer": "needs a model that is not installed",
    "SpacyRecognizer": "needs a model that is not installed",
    "StanzaRecognizer": "needs a model that is not installed",
    "TransformersRecognizer": "needs a model that is not installed",
}
