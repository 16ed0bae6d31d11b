"""reStructuredText, as docutils parses it.

Directives and roles that it does not know, of which Sphinx has many, keep their words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.ingest.clean import clean, one_line, tidy
from rag.ingest.decode import decode
from rag.ingest.rows import row_line, spread
from rag.ingest.titles import best_title, first_heading
from rag.types import Document, Limits

if TYPE_CHECKING:
    from docutils import nodes

DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:+.-]+?)::(?=\s|$)", re.MULTILINE)
ROLE = re.compile(r":([A-Za-z][\w:+.-]*):`")
TITLED = re.compile(r"^(.*?)\s*<[^<>]*>$", re.DOTALL)  # "words <target>"
VERBATIM = {"code", "code-block", "sourcecode", "parsed-literal", "prompt", "literalinclude"}  # with Sphinx's options
SILENT = {"toctree", "contents", "highlight", "currentmodule", "meta", "index", "tabularcolumns"}
SKIPPED = {"comment", "substitution_definition", "target", "raw", "pending", "label", "meta"}
SETTINGS = {
    "file_insertion_enabled": False,  # a document must not show other files of this machine
    "raw_enabled": False,
    "_disable_config": True,
    "doctitle_xform": False,
    "docinfo_xform": False,
    "input_encoding": "unicode",
    "syntax_highlight": "none",
    "report_level": 3,  # where a directive is wrong, its message carries its words
    "halt_level": 5,
    "warning_stream": False,
}


def load_rst(path: Path, source: str, limits: Limits) -> Document:
    """Read the text: headings with the level that their underlines have, tables as rows, code between fences."""
    markup = clean(decode(path, path.read_bytes()))
    text = tidy("\n".join(_blocks(_parsed(markup, limits))))
    return Document(source, best_title(source, first_heading(text)), text)


def _parsed(markup: str, limits: Limits) -> nodes.document:
    from docutils.core import publish_doctree
    from docutils.parsers.rst import directives, roles
    from docutils.parsers.rst.languages import en

    for name in {found.lower() for found in DIRECTIVE.findall(markup)}:
        if name in VERBATIM | SILENT or name not in en.directives:
            directives.register_directive(name, _directive(name))
    for name in {found.lower() for found in ROLE.findall(markup)} - set(en.roles):
        roles.register_local_role(name, _role)
    return publish_doctree(markup, settings_overrides=SETTINGS | {"line_length_limit": limits.characters})


def _directive(name: str) -> Any:
    """A directive of this name that takes any argument, option and content."""
    from docutils import nodes
    from docutils.parsers.rst import Directive, directives

    class AnyOption(dict[str, Callable[[str], str]]):
        def __missing__(self, option: str) -> Callable[[str], str]:
            return directives.unchanged

    class Lenient(Directive):
        optional_arguments, final_argument_whitespace, has_content = 1, True, True
        option_spec = AnyOption(name=directives.unchanged)

        def run(self) -> list[nodes.Node]:
            content = "\n".join(self.content)
            if name in SILENT:
                return []
            if name in VERBATIM:
                return [nodes.literal_block(content, content)]
            said = one_line(f"{name.rpartition(':')[2]} {' '.join(self.arguments)}")
            inside = nodes.Element()
            self.state.nested_parse(self.content, self.content_offset, inside)
            return [*([nodes.paragraph(said, said)] if self.arguments else []), *inside.children]

    return Lenient


def _role(name: str, raw: str, text: str, *_: Any) -> tuple[list[Any], list[Any]]:
    """The words of a role that only Sphinx knows: ``words <target>`` says the words."""
    from docutils import nodes, utils

    text = utils.unescape(text)
    words = titled[1] if (titled := TITLED.match(text)) and titled[1] else text.lstrip("~!")
    return [nodes.inline(raw, words)], []


def _blocks(node: Any, level: int = 0) -> Iterator[str]:
    """The lines of what stands in ``node``, which lies in ``level`` sections."""
    for child in node.children:
        kind = child.tagname
        if kind not in SKIPPED:
            yield from BLOCKS.get(kind, _plain)(child, level)


def _plain(node: Any, level: int) -> Iterator[str]:
    if _is_inline(node):
        yield from (node.astext(), "")
    elif node.tagname in ADMONITIONS:
        yield from (f"{node.tagname.capitalize()}:", *_blocks(node, level))
    else:
        yield from _blocks(node, level)


def _is_inline(node: Any) -> bool:
    """Whether it holds words rather than paragraphs."""
    from docutils import nodes

    return isinstance(node, nodes.TextElement | nodes.Inline | nodes.Text | nodes.image)


def _section(node: Any, level: int) -> Iterator[str]:
    yield from _blocks(node, level + 1)


def _title(node: Any, level: int) -> Iterator[str]:
    words = one_line(node.astext())
    marks = "#" * min(level, 6) + " " if node.parent.tagname == "section" else ""
    yield from ("", marks + words, "")


def _list(node: Any, level: int) -> Iterator[str]:
    first = int(node.get("start", 1))
    for number, item in enumerate(node.children, first):
        mark = "- " if node.tagname == "bullet_list" else f"{number}. "
        lines = tidy("\n".join(_blocks(item, level))).split("\n")
        yield mark + lines[0]
        yield from ("  " + line if line else "" for line in lines[1:])
    yield ""


def _field(node: Any, level: int) -> Iterator[str]:
    name, body = node.children
    yield from (f"{name.astext()}: {tidy(chr(10).join(_blocks(body, level)))}",)


def _verbatim(node: Any, level: int) -> Iterator[str]:
    yield from ("", "```", node.astext(), "```", "")


def _table(node: Any, level: int) -> Iterator[str]:
    for title in node.findall(lambda part: part.tagname == "title"):
        yield from ("", title.astext())
    rows = ([_cell(entry, level) for entry in row.children] for row in node.findall(lambda part: part.tagname == "row"))
    yield from ("", *filter(None, map(row_line, spread(rows))), "")


def _cell(entry: Any, level: int) -> tuple[str, int, int]:
    return tidy("\n".join(_blocks(entry, level))), entry.get("morerows", 0) + 1, entry.get("morecols", 0) + 1


def _note(node: Any, level: int) -> Iterator[str]:
    label = node.children[0].astext() if node.children and node.children[0].tagname == "label" else ""
    yield from (f"[{label}] {tidy(chr(10).join(_blocks(node, level)))}", "")


def _message(node: Any, level: int) -> Iterator[str]:
    """What docutils could not read, as it is written."""
    for part in node.children:
        if part.tagname == "literal_block":
            yield from (part.astext(), "")


ADMONITIONS = {"attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning"}
BLOCKS: dict[str, Callable[[Any, int], Iterator[str]]] = {
    "section": _section,
    "title": _title,
    "bullet_list": _list,
    "enumerated_list": _list,
    "field": _field,
    "literal_block": _verbatim,
    "doctest_block": _verbatim,
    "math_block": _verbatim,
    "table": _table,
    "footnote": _note,
    "citation": _note,
    "system_message": _message,
}
