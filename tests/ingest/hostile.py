"""Files made to break whatever reads them: small on the disk, quick to make."""

from __future__ import annotations

import base64
import copy
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import docx
import openpyxl

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
QUADRATIC = f'<!DOCTYPE x [<!ENTITY i "{"ha" * 5000}">'
ODT = b"application/vnd.oasis.opendocument.text"
CONTAINER = '<container><rootfiles><rootfile full-path="p.opf"/></rootfiles></container>'
ITEM = '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
OPF = f'<package><manifest>{ITEM}</manifest><spine><itemref idref="a"/></spine></package>'


def package(*parts: tuple[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in parts:
            archive.writestr(name, data)
    return buffer.getvalue()


def word(**parts: bytes | str) -> bytes:
    """A Word document whose parts below ``word/`` are replaced or added to."""
    whole = io.BytesIO()
    docx.Document().save(whole)
    with zipfile.ZipFile(whole) as archive:
        kept = [(name, archive.read(name)) for name in archive.namelist() if name[5:-4] not in parts]
    return package(*kept, *((f"word/{name}.xml", data) for name, data in parts.items()))


def bomb() -> bytes:
    """250 MB of pictures in a Word document of 1 MB."""
    return package(("word/document.xml", "<x/>"), ("word/media/a.bmp", bytes(250 << 20)))


def overlapping() -> bytes:
    """500 parts that all lie in the same bytes, 1 MB each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/a.bin", bytes(1 << 20))
        for number in range(500):
            again = copy.copy(archive.filelist[0])
            again.filename = f"xl/{number}.bin"
            archive.filelist.append(again)
    return buffer.getvalue()


def lying() -> bytes:
    """A part that says that it is 100 bytes long, and unpacks to 1 MB."""
    data = package(("content.xml", b" " * (1 << 20)), ("mimetype", ODT))
    return data.replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))


def book(entities: str) -> bytes:
    page = f"{entities}]><html><body><p>&i;</p></body></html>"
    parts = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "p.opf": OPF, "a.xhtml": page}
    return package(*parts.items())


def many_pages(pages: int) -> bytes:
    """A PDF whose one page stands in its list of pages many times."""
    kids = " ".join(["3 0 R"] * pages)
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    ]
    return pdf(*(body.encode() for body in objects))


def many_objects() -> bytes:
    """A PDF of a few KB whose page draws a million pieces of text."""
    drawn = zlib.compress(b"BT /F 1 Tf " + b"(x)Tj 1 0 Td " * 1_000_000 + b"ET", 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    stream = b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(drawn), drawn)
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>", page, stream, font)


def pdf(*objects: bytes) -> bytes:
    data, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (number, body)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, rows)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    return data + table + trailer


def far_corner() -> bytes:
    """A workbook with a value in its first cell and one in its last."""
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    book.active["A1"], book.active["XFD1048576"] = "first", "last"
    book.save(buffer)
    return buffer.getvalue()


def repeated() -> bytes:
    """A sheet of 16 384 columns and a million rows, all of them the same, each written once."""
    cell = '<t:table-cell t:number-columns-repeated="16384"><x:p>ha</x:p></t:table-cell>'
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for short, name in (("o", "office"), ("t", "table"), ("x", "text"))
    )
    row = f'<t:table-row t:number-rows-repeated="1048576">{cell}</t:table-row>'
    sheet = f'<t:table t:name="A">{row}</t:table>'
    content = (
        f"<o:document-content {spaces}><o:body><o:spreadsheet>{sheet}</o:spreadsheet></o:body></o:document-content>"
    )
    return package(("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", content))


def message(attachments: int, data: bytes = b"Words.", name: str = "a.txt") -> bytes:
    head = "From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    words = "--b\nContent-Type: text/plain\n\nHello.\n"
    part = f'--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename="{name}"\n'
    encoded = "Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(data).decode()
    return (head + words + (part + encoded) * attachments + "--b--\n").encode()


def nested_messages(depth: int) -> bytes:
    inner = EmailMessage()
    inner["Subject"] = "Innermost"
    inner.set_content("Words.")
    for number in range(depth):
        outer = EmailMessage()
        outer["Subject"] = f"Message {number}"
        outer.set_content("See below.")
        outer.add_attachment(inner)
        inner = outer
    return inner.as_bytes()


def long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"words " * 1000)
        file.truncate(1 << 30)  # a hole: it takes no room on the disk


def deep_json(depth: int) -> bytes:
    return b"[" * depth + json.dumps("words").encode() + b"]" * depth


def text(content: str) -> bytes:
    return package(("mimetype", ODT), ("content.xml", content))


ENTITIES = "its XML declares entities, which can grow without end"
LAUGHING = LAUGHS + "]><x>&i;</x>"
# The name, how the file is made, what is said.
REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    ("bomb.docx", bomb, "it unpacks to 250 MB; .* a limit of 400 megabytes: split it, or raise ingest.megabytes"),
    ("overlapping.xlsx", overlapping, "it unpacks to 501 MB; .* a limit of 400 megabytes"),
    ("big.docx", lambda: word(document=b" " * (30 << 20)), "its text unpacks to 31 MB; .* a limit of 1,000,000"),
    ("lying.odt", lying, "its ZIP package is damaged; get the original again"),
    ("laughs.docx", lambda: word(document=LAUGHING), ENTITIES),
    ("laughs.odt", lambda: text(LAUGHING), ENTITIES),
    ("utf-16.docx", lambda: word(styles=LAUGHING.encode("utf-16")), ENTITIES),
    ("laughs.epub", lambda: book(LAUGHS), ENTITIES),
    ("quadratic.epub", lambda: book(QUADRATIC), ENTITIES),
    ("deep.odt", lambda: text("<a>" * 99_999), "its XML is damaged or nested too deeply"),
    ("pages.pdf", lambda: many_pages(100_000), "it has 100,000 pages; .* a limit of 5,000 pages: .* ingest.pages"),
    ("slides.pptx", lambda: package(*((f"ppt/slides/slide{n}.xml", "") for n in range(5001))), "it has 5,001 pages"),
    ("wide.csv", lambda: b"a," * 1_000_000, "a row of it has 1,000,001 columns; at most 10,000 are read: export it as"),
    ("wide-below.csv", lambda: b"a,b\n" * 60 + b"a," * 20_000, "a row of it has 20,001 columns"),
    ("deep.json", lambda: deep_json(100_000), "its parts are nested too deeply to be read; save it in a flatter form"),
    ("deep.html", lambda: b"<div>" * 500_000 + b"x", "its parts are nested too deeply to be read"),
    ("deep.rst", lambda: "\n".join(" " * n + "x\n" for n in range(700)).encode(), "its parts are nested too deeply"),
    ("lines.txt", lambda: b"x\n" * 150_000, "it has 150,000 lines; .* a limit of 1,000,000 characters"),
    ("long.html", lambda: b"<p>" + b"x " * 600_000, "it has 1,199,999 characters of text; .* raise ingest.characters"),
    ("attached.eml", lambda: message(2000), "it has 2,000 attachments, and at most 500 are read; save those that"),
]
READ: list[tuple[str, Callable[[], bytes], str]] = [
    ("corner.xlsx", far_corner, "last"),
    ("repeated.ods", repeated, r"ha \| ha"),
    ("bomb.eml", lambda: message(1, bomb(), "b.docx"), r"Attachment: b.docx \(not read: it unpacks to 250 MB"),
    ("nested.eml", lambda: nested_messages(20), r"\(not read: it is a message within 5 others"),
    ("zip.eml", lambda: message(1, package(("b.zip", package())), "a.zip"), r"a.zip \(not read: .* ZIP archive"),
]
