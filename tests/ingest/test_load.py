"""Every kind of file becomes a document, or a refusal that names its cause."""

from __future__ import annotations

import copy
import ctypes
import io
import zipfile
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdfium2
import pypdfium2.raw as raw
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from pptx.enum.shapes import PP_PLACEHOLDER

from rag.errors import LoaderFailed, LoadError, NoText
from rag.ingest import load as loading
from rag.ingest.load import LOADERS, load
from rag.types import Document, Limits
from tests.ingest.samples import epub, odf, odf_table


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str, bytes | str], Document]:
    def read(name: str, content: bytes | str) -> Document:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return load(tmp_path / name, tmp_path)

    return read


Read = Callable[[str, bytes | str], Document]
KINDS = ", ".join(sorted(LOADERS))


def ole(name: str) -> bytes:
    """The beginning of an old Office file with a part of this name."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + name.encode("utf-16-le")


def parts(*names: str) -> bytes:
    """A ZIP archive with parts of these names, which say that they are encrypted."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "<encryption-data/>")
    return buffer.getvalue()


def lines_of(document: Document) -> list[str]:
    return [line for line in document.text.split("\n") if line]


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def word(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    return saved(document.save)


def empty_pdf(pages: int = 1) -> bytes:
    pdf = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        pdf.new_page(200, 200).close()
    data = saved(pdf.save)
    pdf.close()
    return data


def written_pdf(*pages: Sequence[tuple[str, float, float]]) -> bytes:
    """A PDF with lines of text, each with its size and its height on the page, in points."""
    pdf = pypdfium2.PdfDocument.new()
    for lines in pages:
        page = pdf.new_page(400, 400)
        for words, size, height in lines:
            line = raw.FPDFPageObj_NewTextObj(pdf, b"Helvetica", size)
            buffer = ctypes.create_string_buffer((words + "\0").encode("utf-16-le"))
            raw.FPDFText_SetText(line, ctypes.cast(buffer, raw.FPDF_WIDESTRING))
            raw.FPDFPageObj_Transform(line, 1, 0, 0, 1, 40, height)
            raw.FPDFPage_InsertObject(page, line)
        page.gen_content()
        page.close()
    data = saved(pdf.save)
    pdf.close()
    return data


# --- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "Grüße, naïve".encode(),
        "Grüße, naïve".encode("utf-8-sig"),
        "Grüße, naïve".encode("utf-16"),
        "Grüße, naïve".encode("utf-32"),
        "Grüße, naïve".encode("cp1252"),
    ],
)
def test_text_is_read_in_its_encoding(read: Read, content: bytes) -> None:
    assert read("a.txt", content).text == "Grüße, naïve"


def test_utf_16_without_its_mark_is_read(read: Read) -> None:
    assert read("a.txt", "Plain words, and Grüße.".encode("utf-16-le")).text == "Plain words, and Grüße."


def test_other_encodings_are_recognised(read: Read) -> None:
    russian = "Отпуск сотрудников составляет двадцать восемь дней в году. Заявление подаётся заранее. " * 5
    assert read("a.txt", russian.encode("cp1251")).text == russian


def test_control_characters_and_line_ends_are_cleaned(read: Read) -> None:
    assert read("a.txt", "One\r\ntwo\x00\x07\rthree\xad\ufeff four").text == "One\ntwo\nthree four"


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("annual-leave_2025.txt", "This is a sentence of a text that has no title.", "Annual leave 2025"),
        ("a.txt", "Staff council\n\nNotes of the meeting.", "Staff council"),
        ("a.md", "Some words.\n\n# Annual leave #\n\nMore words.", "Annual leave"),
        ("a.rst", ".. _settings:\n\nSettings\n========\n\nWords.", "Settings"),
        ("a.org", "* Travel\nWords.", "Travel"),
        ("a.html", "<title>Leave | Intranet</title><h1>Leave</h1><p>Words.", "Leave | Intranet"),
        ("a.html", "<title>Untitled</title><h1>Leave</h1><p>Words.", "Leave"),
        ("price-list.csv", "Item,Price\nPump,20\n", "Price list"),
    ],
)
def test_a_document_has_a_sensible_title(read: Read, name: str, content: str, title: str) -> None:
    assert read(name, content).title == title


def test_org_headings_are_headings(read: Read) -> None:
    assert read("a.org", "* Travel\n** By train\n- an item").text == "# Travel\n## By train\n- an item"


def test_of_a_page_the_main_text_is_read(read: Read) -> None:
    page = """<html><head><title>T</title><style>p {color: red}</style></head><body>
      <nav><a>Home</a><a>About</a></nav><div class="sidebar menu">Links</div>
      <h1>Leave</h1><p>Full-time staff have <b>28</b>
        days.<br>In all countries.</p><p hidden>Old.</p><p style="display: none">Hidden.</p>
      <ul><li>Ask early</li><li>Ask <i>in</i> writing</li></ul>
      <script>alert("x")</script><footer>Imprint</footer></body></html>"""
    assert read("a.html", page).text == (
        "# Leave\n\nFull-time staff have 28 days.\nIn all countries.\n\n- Ask early\n- Ask in writing"
    )


def test_of_a_page_tables_are_rows(read: Read) -> None:
    page = """<table><caption>Offices</caption><tr><th>Office</th><th>Staff</th></tr>
      <tr><td>Leeds</td><td>187<br>people</td></tr><tr><td>Bonn</td><td><ul><li>1</li><li>2</li></ul></td></tr>
      <tr><td>Berlin</td><td><table><tr><td>North</td><td>60</td></tr><tr><td>South</td><td>56</td></tr></table></td></tr>
      </table>"""
    assert [line for line in read("a.html", page).text.split("\n") if line] == [
        "Offices",
        "Office | Staff",
        "Leeds | 187 people",
        "Bonn | 1; 2",
        "Berlin",
        "North | 60",
        "South | 56",
    ]


def test_a_page_that_is_all_menu_is_read(read: Read) -> None:
    assert read("a.html", "<nav>Leave, sickness, travel</nav>").text == "Leave, sickness, travel"


def test_a_page_is_read_in_the_encoding_that_it_names(read: Read) -> None:
    page = '<meta charset="iso-8859-2"><p>Zażółć gęślą jaźń</p>'.encode("iso-8859-2")
    assert read("a.html", page).text == "Zażółć gęślą jaźń"


def test_word_documents_are_read_in_order(read: Read) -> None:
    document = docx.Document()
    document.core_properties.title = "Travel"
    document.add_heading("By train", 2)
    document.add_paragraph("Second class.")
    document.add_paragraph("Book early", style="List Bullet")
    table = document.add_table(2, 2)
    for place, words in enumerate(["City", "Limit", "Leeds", "90"]):
        table.cell(place // 2, place % 2).text = words
    inner = document.add_table(1, 2)
    inner.cell(0, 0).text = "Outside"
    nested = inner.cell(0, 1).add_table(1, 2)
    nested.cell(0, 0).text, nested.cell(0, 1).text = "North", "60"
    noted = document.add_paragraph("After it.")
    document.add_comment(noted.runs, "Is this so?", author="A", initials="A")
    read_back = read("a.docx", saved(document.save))
    assert read_back.title == "Travel"
    assert [line for line in read_back.text.split("\n") if line] == [
        "## By train",
        "Second class.",
        "- Book early",
        "City | Limit",
        "Leeds | 90",
        "Outside",
        "North | 60",
        "After it.",
    ]


def test_a_pdf_has_pages_headings_and_paragraphs(read: Read) -> None:
    first = [("Leave", 20, 350), ("Full-time staff have 28", 10, 320), ("days of leave.", 10, 308)]
    first += [("Part-time staff have", 10, 280), ("a share of it, rounded", 10, 268)]
    document = read("a.pdf", written_pdf(first, [], [("up to half days.", 10, 350)]))
    assert document.title == "Leave"
    assert document.text == (
        "## Leave\n\nFull-time staff have 28\ndays of leave.\n\n"
        "Part-time staff have\na share of it, rounded\nup to half days."
    )
    third = document.text.index("up to half")
    assert document.page_starts[0] == 0
    assert document.page_starts[2] == third
    assert len(document.page_starts) == 3


def test_a_sentence_runs_on_below_the_head_and_foot_of_its_page(read: Read) -> None:
    def page(number: int, words: str, last: str) -> list[tuple[str, float, float]]:
        return [
            (f"Travel rules, page {number}", 10, 380),
            (words, 10, 368),
            ("2", 10, 356),
            (last, 10, 344),
            (str(number), 10, 20),
        ]

    first, second = page(1, "Journeys need", "the consent"), page(2, "of your manager,", "in writing.")
    document = read("a.pdf", written_pdf(first, second))
    assert document.text == "Travel rules, page 1\nJourneys need\n2\nthe consent\nof your manager,\n2\nin writing."
    assert document.text[document.page_starts[1] :].startswith("of your manager,")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_each_row_of_a_table_answers_alone(read: Read, separator: str) -> None:
    rows = [["Item", "Price", "Unit"], ["Heat pump", "4 200", "each"], ["Pipe", "", "metre"]]
    text = "\r\n".join(separator.join(row) for row in rows)
    assert read("a.csv", text).text == "Item: Heat pump; Price: 4 200; Unit: each\nItem: Pipe; Unit: metre"


def test_a_quoted_cell_may_hold_separators_and_lines(read: Read) -> None:
    text = 'Name,Note\nAda,"one, two\nthree"\n'
    assert read("a.csv", text).text == "Name: Ada; Note: one, two three"


def test_titles_above_a_table_and_cells_beyond_its_header_are_kept(read: Read) -> None:
    text = "Prices 2025,,\nItem,Price\nPump,20,net\n"
    assert read("a.csv", text).text == "Prices 2025\nItem: Pump; Price: 20; net"


def test_a_table_without_header_is_rows(read: Read) -> None:
    assert read("a.csv", "1,2\n3,4\n").text == "1 | 2\n3 | 4"


def test_workbooks_are_read_sheet_by_sheet(read: Read) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices"
    for row in (["Item", "Price"], ["Pump", 20.5], [], ["Pipe", 3]):
        sheet.append(row)
    book.create_sheet("Empty")
    assert read("a.xlsx", saved(book.save)).text == "## Prices\n\nItem: Pump; Price: 20.5\n\nPipe | 3"


def test_tables_side_by_side_are_read_one_after_the_other(read: Read) -> None:
    book = openpyxl.Workbook()
    for row in (["Item", "Price", None, "City", "Limit"], ["Pump", 20, None, "Leeds", 90]):
        book.active.append(row)
    text = read("a.xlsx", saved(book.save)).text
    assert text == "## Sheet\n\nItem: Pump; Price: 20\n\nCity: Leeds; Limit: 90"


def test_presentations_are_read_slide_by_slide(read: Read) -> None:
    deck = pptx.Presentation()
    for title in ("Leave", "Travel"):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "Ask early\nAsk in writing"
    document = read("a.pptx", saved(deck.save))
    assert document.text.startswith("## Leave\n\n- Ask early\n- Ask in writing\n\n## Travel")
    assert [document.text[start : start + 9].strip() for start in document.page_starts] == ["## Leave", "## Travel"]


def test_messages_are_read_with_their_headers(read: Read) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Family day", "ada@example.org", "all@example.org"
    message.set_content("There will be cake.")
    message.add_alternative("<p>There will be <b>cake</b>.</p>", subtype="html")
    message.add_attachment("# Rooms\n\n## Leeds", filename="rooms.md")
    message.add_attachment("---\ngroups: [hr]\n---\nSecret", filename="pay.md")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="../map.pdf")
    document = read("a.eml", message.as_bytes())
    assert document.title == "Family day"
    assert "There will be cake." in document.text
    assert "## Attachment: rooms.md\n\n### Rooms\n\n#### Leeds" in document.text
    assert "Attachment: pay.md (not read: it names who may read it; save it as a file of its own)" in document.text
    assert "Attachment: ../map.pdf (not read: it is named .pdf, but is plain text, not a PDF (.pdf)" in document.text
    assert "Secret" not in document.text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Отпуск составляет 28 дней в году.", "休暇は二十八日です。\n申請は早めに。"])
def test_utf_16_of_any_script_is_read_without_its_mark(read: Read, text: str, encoding: str) -> None:
    assert read("a.txt", text.encode(encoding)).text == text


def test_shift_jis_is_recognised(read: Read) -> None:
    text = "休暇は年に二十八日です。申請は早めに出してください。上司が一週間以内に決めます。" * 3
    assert read("a.txt", text.encode("shift_jis")).text == text


def test_of_restructured_text_directives_and_roles_keep_their_words(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("Never,shown")
    text = """
Leave
=====

See :ref:`the rules <rules>`, :class:`~staff.Leave` and `a page <https://example.org>`_.

.. note:: Ask early.

.. versionadded:: 2.0
   For part-timers.

.. code-block:: python
   :emphasize-lines: 1

   days = 28

.. include:: FOLDER/secret.txt

.. csv-table::
   :file: FOLDER/secret.txt

.. raw:: html

   <b>raw</b>

.. toctree::

   other

Travel
------

.. list-table:: Offices

   * - Leeds
     - 187

+-------+-------+
| Leeds | North |
|       +-------+
|       | South |
+-------+-------+

.. a comment
"""
    document = read("a.rst", text.replace("FOLDER", str(tmp_path)))
    said = lines_of(document)
    assert said[:3] == ["# Leave", "See the rules, staff.Leave and a page.", "Note:"]
    assert said[3:8] == ["Ask early.", "versionadded 2.0 For part-timers.", "```", "days = 28", "```"]
    assert said[-5:] == ["## Travel", "Offices", "Leeds | 187", "Leeds | North", "Leeds | South"]
    assert "Never" not in document.text
    assert "other" not in document.text


def test_of_json_values_lists_and_records_are_read(read: Read) -> None:
    text = """{"title": "Offices", "open": true, "tags": ["a", "b"], "note": null, "number": 1.10,
      "Leeds": {"staff": 187, "rooms": [{"name": "North", "seats": 12}, {"name": "South", "seats": 8}]}}"""
    document = read("a.json", text)
    assert document.title == "Offices"
    assert lines_of(document) == [
        "title: Offices",
        "open: yes",
        "tags: a, b",
        "number: 1.10",
        "## Leeds",
        "staff: 187",
        "### rooms",
        "name: North; seats: 12",
        "name: South; seats: 8",
    ]


def test_a_book_is_read_in_its_order_with_its_notes(read: Read) -> None:
    note = '<aside epub:type="footnote"><p>1. Half days too.</p></aside>'
    document = read("a.epub", epub(z="<h1>Leave</h1><p>28 days.</p>" + note, a="<h1>Travel</h1><p>By train.</p>"))
    assert document.title == "Staff book"
    assert lines_of(document) == [
        "Staff book",
        "# Leave",
        "28 days.",
        "1. Half days too.",
        "# Travel",
        "By train.",
    ]


def test_of_an_opendocument_text_comments_and_deleted_words_are_left_out(read: Read) -> None:
    item = "<text:list-item><text:p>Ask early</text:p></text:list-item>"
    note = "<text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body>"
    body = f"""<office:text><text:tracked-changes><text:p>Deleted</text:p></text:tracked-changes>
      <text:p>One<text:s text:c="2"/>two<office:annotation><text:p>Comment</text:p></office:annotation>
      <text:note>{note}</text:note></text:p>
      <text:list>{item}</text:list></office:text>"""
    assert lines_of(read("a.odt", odf("text", body))) == ["One  two", "A note.", "- Ask early"]


def test_hidden_sheets_are_left_out_and_merged_cells_stand_in_every_row(read: Read) -> None:
    book = openpyxl.Workbook()
    for row in (["Office", "Floor", "Desks"], ["Leeds", "1", "40"], [None, "2", "38"], ["Bonn", "1", "12"]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.active.row_dimensions[4].hidden = True
    hidden = book.create_sheet("Pay")
    hidden.append(["Secret"])
    hidden.sheet_state = "hidden"
    assert lines_of(read("a.xlsx", saved(book.save)))[1:] == [
        "Office: Leeds; Floor: 1; Desks: 40",
        "Office: Leeds; Floor: 2; Desks: 38",
        "Office: Bonn; Floor: 1; Desks: 12",
    ]
    hidden_style = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    sheet = odf_table("Pay").replace("<table:table ", '<table:table table:style-name="h" ')
    body = f"<office:spreadsheet>{sheet}{odf_table('Open')}</office:spreadsheet>"
    assert "Pay" not in read("a.ods", odf("spreadsheet", body, hidden_style)).text


def test_merged_cells_of_word_pages_and_slides_stand_in_every_row(read: Read) -> None:
    document = docx.Document()
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "Leeds"
    table.cell(0, 1).text, table.cell(1, 1).text = "North", "South"
    deck = pptx.Presentation()
    shapes = deck.slides.add_slide(deck.slide_layouts[6]).shapes
    grid = shapes.add_table(2, 2, 0, 0, 99, 99).table
    grid.cell(0, 0).merge(grid.cell(1, 0))
    grid.cell(0, 0).text, grid.cell(0, 1).text, grid.cell(1, 1).text = "Leeds", "North", "South"
    page = "<table><tr><td rowspan=2>Leeds</td><td>North</td></tr><tr><td>South</td></tr></table>"
    for name, content in (("a.docx", saved(document.save)), ("a.pptx", saved(deck.save)), ("a.html", page)):
        assert lines_of(read(name, content)) == ["Leeds | North", "Leeds | South"]


def test_hidden_and_deleted_words_of_word_are_left_out_and_an_outline_level_makes_a_heading(read: Read) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Shown.")
    paragraph.add_run("Hidden.").font.hidden = True
    deleted = OxmlElement("w:del")
    deleted.append(document.add_paragraph("Deleted.").runs[0]._r)
    paragraph._p.append(deleted)
    document.sections[0].header.paragraphs[0].text = "Head of the page"
    level = OxmlElement("w:outlineLvl")
    level.set(qn("w:val"), "2")
    document.add_paragraph("By train")._p.get_or_add_pPr().append(level)
    assert lines_of(read("a.docx", saved(document.save))) == ["Shown.", "### By train"]


def test_notes_of_a_slide_are_marked_and_its_footer_left_out(read: Read) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    slide.shapes.title.text = "Leave"
    footer = next(
        shape for shape in slide.slide_layout.placeholders if shape.placeholder_format.type == PP_PLACEHOLDER.FOOTER
    )
    slide.shapes._spTree.append(copy.deepcopy(footer._element))
    list(slide.placeholders)[-1].text = "Confidential"
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    assert lines_of(read("a.pptx", saved(deck.save))) == ["## Leave", "Notes: Say it slowly."]


def test_the_source_is_the_path_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "hr").mkdir()
    path = tmp_path / "hr" / "leave.md"
    path.write_text("# Leave\n\nWords.")
    assert load(path, tmp_path).source == "hr/leave.md"
    assert load(path, tmp_path, "staff/hr/leave.md").source == "staff/hr/leave.md"


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.doc", "x", f"its name ends in .doc, which no loader takes; rename it if it is one of {KINDS}"),
        ("a.bin", empty_pdf(), "its name ends in .bin, and it is a PDF (.pdf); rename it to .pdf, or save it as that"),
        ("a.rtf", b"{\\rtf1 x}", "its name ends in .rtf, and it is rich text (RTF); save it as .docx"),
        (
            "a.doc",
            ole("WordDocument"),
            "its name ends in .doc, and it is an old Word document (.doc); save it as",
        ),
        ("a.xls", ole("Workbook"), "its name ends in .xls, and it is an old Excel file (.xls); save it as .xlsx"),
        ("a.ppt", ole("PowerPoint Document"), "its name ends in .ppt, and it is an old PowerPoint file (.ppt); save"),
        (
            "a.msg",
            ole("__properties_version1.0"),
            "its name ends in .msg, and it is an Outlook message (.msg); save",
        ),
        ("a.zip", parts("x"), "its name ends in .zip, and it is a ZIP archive; unpack it"),
        (
            "a.txt",
            b"\x89PNG\r\n\x1a\n",
            "it is named .txt, but is a PNG picture; recognise its text with an OCR",
        ),
        (
            "a.epub",
            parts("word/document.xml"),
            "it is named .epub, but is a Word document (.docx), not an e-book",
        ),
        ("a.odt", parts("META-INF/manifest.xml"), "it is named .odt, but is an Office file locked with a password"),
        ("a.json", '{"a": [1, 2', "it is not valid JSON in line 1, column 12; mend it or get it again"),
        ("a.jsonl", '{"a": 1}\n{"a": ', "it is not valid JSON in line 2, column 7"),
        (
            "a.ods",
            odf("text", "<x/>"),
            "it is named .ods, but is an OpenDocument text (.odt), not an",
        ),
        ("README", "x", "its name has no ending, which no loader takes; rename it"),
        ("a.md.meta.toml", "title = 'x'", "it is a side-car file, which describes other files"),
        ("a.txt", empty_pdf(), "it is named .txt, but is a PDF (.pdf); rename it to .pdf, or save it as that"),
        ("a.pdf", b"Only words.", "it is named .pdf, but is plain text, not a PDF"),
        ("a.docx", empty_pdf(), "it is named .docx, but is a PDF (.pdf), not a Word document"),
        ("a.pdf", word("x"), "it is named .pdf, but is a Word document (.docx), not a PDF"),
        ("a.md", b"<!DOCTYPE html><p>x</p>", "it is named .md, but is an HTML page"),
        ("a.txt", bytes(range(256)) * 8, "it is named .txt, but is binary data; get the original again"),
        ("a.csv", b"\xff\xd8\xff\xe0" + b"x" * 99, "it is named .csv, but is a JPEG picture"),
        ("a.txt", b"\xff\xfea", "it begins with the mark of utf-16, but byte 2 is not; save it as UTF-8"),
        ("a.txt", "Grüße aus Köln, schöne Müh.".encode() + b"\xff", "its UTF-8 is damaged"),
        ("a.csv", 'a,b\n"' + "x" * 1_100_000, "a quotation mark in it is never closed"),
        ("a.eml", "Only words.", "it has no e-mail headers"),
        ("a.docx", b"PK\x03\x04" + b"x" * 99, "it is named .docx, but is a damaged ZIP archive"),
        ("a.pdf", empty_pdf()[:300], "it is cut off or damaged: its end is missing"),
        ("a.pdf", b"%PDF-1.7\n" + b"\xef\xbf\xbd" * 50 + b"%%EOF", "its bytes were damaged by a conversion of text"),
        ("a.pdf", empty_pdf() + b"%" + b"\xef\xbf\xbd" * 500, "its bytes were damaged by a conversion of text"),
        ("a.txt", "\ue000\ue001\ue002 x", "its text cannot be decoded"),
    ],
)
def test_a_refusal_names_the_file_and_the_fact(read: Read, name: str, content: bytes | str, reason: str) -> None:
    with pytest.raises(LoadError) as refused:
        read(name, content)
    assert refused.value.reason.startswith(reason)
    assert name in str(refused.value)
    assert not isinstance(refused.value, NoText | LoaderFailed)


def test_a_locked_office_file_is_called_so(read: Read) -> None:
    locked = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(LoadError, match="is an Office file locked with a password; save it without the password"):
        read("a.xlsx", locked)


def test_a_damaged_package_is_called_so(read: Read) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", "<w:document")
    with pytest.raises(LoadError, match="its Word package is damaged"):
        read("a.docx", buffer.getvalue())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "", "it is empty (0 bytes)"),
        ("a.md", " \n\t\n", "it holds white space only"),
        ("a.txt", "-----\n*****", "it holds no letter and no digit"),
        ("a.md", "---\ntitle: Leave\n---\n", "it holds white space only"),
        ("a.html", "<html><body><script>x()</script></body></html>", "it holds white space only"),
        ("a.pdf", empty_pdf(3), "none of its 3 pages has a text layer"),
        ("a.docx", word(), "it holds white space only"),
        ("a.xlsx", saved(openpyxl.Workbook().save), "none of its 1 sheets has a cell with a value"),
    ],
)
def test_nothing_to_read_is_said(read: Read, name: str, content: bytes | str, reason: str) -> None:
    with pytest.raises(NoText) as refused:
        read(name, content)
    assert refused.value.reason.startswith(reason)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(LoadError, match="it is not a file"):
        load(tmp_path / "folder.md", tmp_path)
    with pytest.raises(LoadError, match="it cannot be opened: No such file or directory"):
        load(tmp_path / "none.md", tmp_path)


def test_a_page_nested_too_deeply_is_refused(read: Read) -> None:
    with pytest.raises(LoadError, match="nested too deeply"):
        read("a.html", "<div>" * 5000 + "x")


def test_a_fault_of_a_loader_does_not_quote_the_file(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(path: Path, source: str, limits: Limits) -> Document:
        raise ValueError(path.read_text())

    monkeypatch.setitem(loading.LOADERS, ".txt", faulty)
    with pytest.raises(LoaderFailed, match=r"it broke the \.txt reader \(ValueError\)$"):
        read("a.txt", "secret words")
