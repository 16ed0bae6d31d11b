"""A small sound file of each kind: headings "Leave" and "Travel", a sentence, a table."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from email.message import EmailMessage

import docx
import openpyxl
import pptx
from pptx.util import Inches

from tests.ingest.pdfs import Page, line, pdf

SENTENCE = "Full-time staff have 28 days."
ROWS = [["Office", "Staff"], ["Leeds", "187"]]
MARKDOWN = f"# Leave\n\n{SENTENCE}\n\n## Travel\n\n| Office | Staff |\n|---|---|\n| Leeds | 187 |\n"
HTML = (
    f"<h1>Leave</h1><p>{SENTENCE}</p><h2>Travel</h2>"
    "<table><tr><th>Office</th><th>Staff</th></tr><tr><td>Leeds</td><td>187</td></tr></table>"
)
RST = f"""
Leave
=====

{SENTENCE}

Travel
------

====== =====
Office Staff
====== =====
Leeds  187
====== =====
"""
NAMES = {
    name: f"urn:oasis:names:tc:opendocument:xmlns:{full}:1.0"
    for name, full in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "presentation": "presentation",
        "style": "style",
    }.items()
}
MIME = "application/vnd.oasis.opendocument."


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def package(parts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Leave", 1)
    document.add_paragraph(SENTENCE)
    document.add_heading("Travel", 2)
    table = document.add_table(2, 2)
    for place, words in enumerate([*ROWS[0], *ROWS[1]]):
        table.cell(place // 2, place % 2).text = words
    return saved(document.save)


def excel() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Leave"
    book.active.append([SENTENCE])
    sheet = book.create_sheet("Travel")
    for row in ROWS:
        sheet.append(row)
    return saved(book.save)


def powerpoint() -> bytes:
    deck = pptx.Presentation()
    for title in ("Leave", "Travel"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = title
    deck.slides[0].notes_slide.notes_text_frame.text = SENTENCE
    table = deck.slides[1].shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for place, words in enumerate([*ROWS[0], *ROWS[1]]):
        table.cell(place // 2, place % 2).text = words
    return saved(deck.save)


def message() -> bytes:
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "Leave", "ada@example.org"
    mail.set_content(SENTENCE)
    mail.add_attachment(MARKDOWN, subtype="markdown", filename="travel.md")
    return mail.as_bytes()


def odf(kind: str, body: str, styles: str = "", **parts: str) -> bytes:
    spaces = " ".join(f'xmlns:{name}="{address}"' for name, address in NAMES.items())
    inside = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>{body}</office:body>"
    content = f"<office:document-content {spaces}>{inside}</office:document-content>"
    return package({"mimetype": MIME + kind, "content.xml": content, **parts})


def odf_table(name: str = "") -> str:
    rows = ("".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in row) for row in ROWS)
    lines = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    return f'<table:table table:name="{name}">{lines}</table:table>'


def odt() -> bytes:
    leave = f'<text:h text:outline-level="1">Leave</text:h><text:p>{SENTENCE}</text:p>'
    travel = f'<text:h text:outline-level="2">Travel</text:h>{odf_table()}'
    return odf("text", f"<office:text>{leave}{travel}</office:text>")


def ods() -> bytes:
    first = f"<table:table-row><table:table-cell><text:p>{SENTENCE}</text:p></table:table-cell></table:table-row>"
    sheets = f'<table:table table:name="Leave">{first}</table:table>{odf_table("Travel")}'
    return odf("spreadsheet", f"<office:spreadsheet>{sheets}</office:spreadsheet>")


def odp() -> bytes:
    def slide(title: str, inside: str) -> str:
        frame = f"<draw:text-box><text:p>{title}</text:p></draw:text-box>"
        return f'<draw:page><draw:frame presentation:class="title">{frame}</draw:frame>{inside}</draw:page>'

    notes = f"<presentation:notes><draw:frame><draw:text-box><text:p>{SENTENCE}</text:p></draw:text-box></draw:frame>"
    first = slide("Leave", notes + "</presentation:notes>")
    second = slide("Travel", f"<draw:frame>{odf_table()}</draw:frame>")
    return odf("presentation", f"<office:presentation>{first}{second}</office:presentation>")


def epub(**pages: str) -> bytes:
    """A book of these pages, in order, with a table of contents."""
    items = "".join(f'<item id="{id}" href="{id}.xhtml" media-type="application/xhtml+xml"/>' for id in pages)
    nav = '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    order = "".join(f'<itemref idref="{id}"/>' for id in ("nav", *pages))
    named = '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Staff book</dc:title></metadata>'
    opf = f"<package>{named}<manifest>{nav}{items}</manifest><spine>{order}</spine></package>"
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="b/p.opf"/></rootfiles></container>',
            "b/p.opf": opf,
            "b/nav.xhtml": "<html><body><nav>Contents</nav></body></html>",
            **{f"b/{id}.xhtml": f"<html><head><title/></head><body>{page}</body></html>" for id, page in pages.items()},
        }
    )


def table(separator: str) -> bytes:
    return "\n".join(separator.join(row) for row in [["Leave", ""], *ROWS, ["All", SENTENCE]]).encode()


RECORD = {"Leave": {"days": SENTENCE}, "Travel": [dict(zip(*ROWS, strict=True))]}
SAMPLES: dict[str, Callable[[], bytes]] = {
    ".csv": lambda: table(","),
    ".docx": word,
    ".eml": message,
    ".epub": lambda: epub(first=HTML.partition("<h2>")[0], second="<h2>" + HTML.partition("<h2>")[2]),
    ".htm": HTML.encode,
    ".html": HTML.encode,
    ".json": lambda: json.dumps(RECORD).encode(),
    ".jsonl": lambda: "\n".join(json.dumps({name: value}) for name, value in RECORD.items()).encode(),
    ".markdown": MARKDOWN.encode,
    ".md": MARKDOWN.encode,
    ".odp": odp,
    ".ods": ods,
    ".odt": odt,
    ".org": MARKDOWN.replace("## ", "** ").replace("# ", "* ").encode,
    ".pdf": lambda: pdf(Page(line("Leave", 40, 380, 20) + line(SENTENCE, 40, 350) + line("Travel", 40, 320, 14))),
    ".pptx": powerpoint,
    ".rst": RST.encode,
    ".tsv": lambda: table("\t"),
    ".txt": f"Leave\n\n{SENTENCE}\n\nTravel\n".encode,
    ".xlsx": excel,
}
HAS_NO_HEADINGS = {".csv", ".tsv", ".txt"}
HAS_NO_TABLES = {".pdf", ".txt"}
