"""Every format of a report except the terminal's: tables as Markdown, LaTeX and HTML, data as JSON and CSV."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import msgspec

from harness.reading.report.table import Row, Table
from harness.records.specs import Setting

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": "$<$", ">": "$>$", "|": r"\textbar{}",
}  # fmt: skip


def markdown(table: Table) -> str:
    """A title, a pipe table, and notes."""
    head = ". ".join(_one_line(part) for part in table.notes)
    parts = [f"**{_one_line(table.title)}**" + (f": {head}." if head else "") if table.title else head]
    if table.columns and table.rows:
        lines = [_piped(c.header for c in table.columns), _piped("---:" if c.right else "---" for c in table.columns)]
        for row in table.rows:
            mark = "*" if row.kind == "reference" else ""
            lines.append(_piped(f"{mark}{_one_line(cell)}{mark}" if cell else "" for cell in row.cells))
        parts.append("\n".join(lines))
    parts += [_one_line(text) for text in (table.legend, *table.footnotes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _piped(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _one_line(text: str) -> str:
    """The text on one line, without characters that end a cell."""
    return " ".join(text.replace("|", "\\|").split())


def latex(table: Table) -> str:
    """A LaTeX ``table`` for the package booktabs; only text where it has no columns."""
    if not (table.columns and table.rows):
        texts = (table.title, *table.notes, table.legend, *table.footnotes)
        return "\n\n".join(_tex(text) for text in texts if text) + "\n"
    caption = ". ".join(_tex(text) for text in (table.title, *table.notes) if text)
    align = "".join("r" if c.right else "l" for c in table.columns)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", rf"\begin{{tabular}}{{{align}}}", r"\toprule"]
    lines += [_tex_row(Row(tuple(c.header for c in table.columns))), r"\midrule"]
    lines += [_tex_row(row) for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {_tex(text)}" for text in (table.legend, *table.footnotes) if text]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tex_row(row: Row) -> str:
    cells = [_tex(cell) for cell in row.cells]
    if row.kind == "reference":
        cells = [rf"\textit{{{cell}}}" if cell else "" for cell in cells]
    if cells[0].startswith("["):  # not an option of the \\ before it
        cells[0] = "{}" + cells[0]
    return " & ".join(cells) + r" \\"


def _tex(text: str) -> str:
    if text == "-":
        return "--"
    minus = text.startswith("-") and text[1:2].isdigit()
    escaped = "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))
    return "$-$" + escaped[1:] if minus else escaped


def as_html(table: Table) -> str:
    """HTML for a notebook, with no style except the alignment of cells."""
    parts = [f"<p><b>{html.escape(table.title)}</b></p>"] if table.title else []
    parts += [f"<p>{html.escape(note)}</p>" for note in table.notes]
    if table.columns and table.rows:
        aligned = ["right" if c.right else "left" for c in table.columns]
        lines = [_html_row("th", [c.header for c in table.columns], aligned)]
        for row in table.rows:
            line = _html_row("td", row.cells, aligned)
            lines.append(line.replace("<tr>", '<tr style="font-style:italic">', 1) if row.kind == "reference" else line)
        parts.append("<table>" + "\n".join(lines) + "</table>")
    parts += [f"<p><small>{html.escape(text)}</small></p>" for text in (table.legend, *table.footnotes) if text]
    return "\n".join(parts) + "\n"


def _html_row(tag: str, cells: Sequence[str], aligned: Sequence[str]) -> str:
    pairs = zip(cells, aligned, strict=True)
    return "<tr>" + "".join(f'<{tag} style="text-align:{a}">{html.escape(c)}</{tag}>' for c, a in pairs) + "</tr>"


def lines_of(items: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
    """Data as flat lines, which CSV files and data frames hold: a line for each innermost item.

    The fields of a `Setting` keep their own names; those of another struct get the name of the field that holds it in
    front. Each member of a list of structs has a line, and so has each point of the lists named in a struct's
    ``POINTS``; the other fields are repeated. Members of other lists are joined by "and", "-" where one has no value;
    mappings are written as JSON.
    """
    return [line for item in items for line in _lines(item)]


def _lines(item: msgspec.Struct) -> Iterator[dict[str, Any]]:
    points: tuple[str, ...] = getattr(item, "POINTS", ())
    own: dict[str, Any] = {}
    inner: list[msgspec.Struct] = []
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if name in points or (value is None and name in _nested(type(item))):
            continue
        if isinstance(value, list) and isinstance((value or [None])[0], msgspec.Struct):
            inner += value
        elif isinstance(value, msgspec.Struct):
            prefix = "" if isinstance(value, Setting) else f"{name}_"
            own |= {prefix + key: v for line in _lines(value) for key, v in line.items()}
        elif isinstance(value, Mapping):
            own[name] = msgspec.json.encode(value, order="deterministic").decode()
        elif isinstance(value, (list, tuple)):
            known = any(member is not None for member in value)
            own[name] = " and ".join("-" if m is None else str(m) for m in value) if known else None
        else:
            own[name] = value
    if points:
        for values in zip(*(getattr(item, name) for name in points), strict=True):
            yield own | dict(zip(points, values, strict=True))
    elif inner:
        for member in inner:
            yield from (own | line for line in _lines(member))
    else:
        yield own


def fields_of(thing: object, *names: str) -> dict[str, Any]:
    """These attributes of a thing; of None, None for each."""
    return {name: None if thing is None else getattr(thing, name) for name in names}


@cache
def _nested(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of a struct that hold another: their values have names of their own."""
    return frozenset(
        field.name
        for field in msgspec.structs.fields(kind)
        if any(isinstance(t, type) and issubclass(t, msgspec.Struct) for t in (field.type, *get_args(field.type)))
    )


def as_csv(items: Sequence[msgspec.Struct]) -> str:
    """`lines_of` with a header; empty where there is no value, numbers with every digit."""
    lines = lines_of(items)
    if not lines:
        return ""
    header = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if line.get(name) is None else line[name] for name in header] for line in lines)
    return text.getvalue()


def as_json(value: Any) -> str:
    """Indented; null where there is no value."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
