"""A gate for people and for build servers: a table, and JUnit XML."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from harness.errors import counted
from harness.reading import numbers
from harness.reading.gate.lines import Gate, GateLine
from harness.reading.report import layout
from harness.reading.report.table import Cells, Column, Table, laid_out, name_column
from harness.running.study import GateMetric

_MEANS: dict[GateMetric, str] = {
    "valid_regret": "validation regret (where the best row is not known, validation score)",
    "score": "final score",
    "ktau": "KTau of the learned order",
    "queries_to_median": "paid queries to the reference's median validation score",
    "seconds_ratio": "seconds of a search; the difference is ln(reference / candidate)",
}
_PASSES = ("unchanged", "better", "not worse")
_CELLS: tuple[Cells[GateLine], ...] = (
    (name_column("entry"), lambda line: line.name),
    (name_column("on"), lambda line: line.title),
    (name_column("verdict"), lambda line: line.verdict),
    (Column("candidate"), lambda line: numbers.number(line.candidate, 4)),
    (Column("reference"), lambda line: numbers.number(line.reference, 4)),
    (Column("difference"), lambda line: _difference(line)),
    (Column("p better", dropped=3), lambda line: numbers.p_value(line.p_better)),
    (Column("p not worse", dropped=2), lambda line: numbers.p_value(line.p_not_worse)),
    (Column("p worse", dropped=1), lambda line: numbers.p_value(line.p_worse)),
    (Column("n"), lambda line: _seeds(line)),
)


def table(gate: Gate, *, failing: bool = False) -> Table:
    """A line for each entry in each setting; of those alone that do not pass where ``failing``."""
    lines = [line for line in gate.lines if not failing or line.verdict not in _PASSES]
    return Table(
        f"gate of {gate.study} against {gate.against}",
        *laid_out(lines, _CELLS),
        notes=(f"{_MEANS[gate.metric]}; margin {gate.margin:g}, alpha {gate.alpha:g}{_looks(gate)}",),
        legend="unchanged: every run asked the same queries and gave the same answer, so that there is nothing to test;"
        " difference: of the means over common seeds, positive is better; p of sign-flip tests, before Holm",
        footnotes=tuple(text for line in lines if (text := _footnote(line))),
    )


def as_text(gate: Gate, *, failing: bool = False) -> str:
    """The table in 100 columns, or in as many as it needs."""
    return layout.as_text(table(gate, failing=failing))


def said(gate: Gate) -> str:
    """The verdicts in a line: ``2 unchanged, 1 worse``."""
    found = Counter(line.verdict for line in gate.lines)
    return ", ".join(f"{n} {verdict}" for verdict, n in found.items())


def reproduce(gate: Gate) -> str:
    """The command that carries one search out again: of the lines that do not pass, the run that lost most."""
    line = next(r for r in gate.lines if r.verdict not in _PASSES)
    return f"nas-harness replay {gate.folder} {line.lost_most}"


def junit(gate: Gate) -> str:
    """JUnit XML: a test case for each line, a failure where the verdict is worse or undecided."""
    failing = [line for line in gate.lines if line.verdict not in _PASSES]
    suite = ElementTree.Element(
        "testsuite", name=f"gate of {gate.study}", tests=str(len(gate.lines)), failures=str(len(failing)), errors="0"
    )
    for line in gate.lines:
        case = ElementTree.SubElement(suite, "testcase", classname=line.title, name=line.name)
        if line in failing:
            message = f"{line.verdict}: {gate.metric} {_difference(line)} over {counted(line.n, 'seed')}"
            failure = ElementTree.SubElement(case, "failure", type=line.verdict, message=message)
            failure.text = _footnote(line) or None
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _seeds(line: GateLine) -> str:
    failed = line.failed or line.reference_failed
    return f"{line.n}, {line.failed} against {line.reference_failed} failed" if failed else f"{line.n}"


def _difference(line: GateLine) -> str:
    return numbers.number(line.difference, 4, signed=True)


def _looks(gate: Gate) -> str:
    if len(gate.looks) == 1:
        return ""
    return f"; looks at {', '.join(map(str, gate.looks))} seeds, each at alpha / {len(gate.looks)}"


def _footnote(line: GateLine) -> str:
    if line.verdict != "undecided":
        return ""
    if line.more_seeds is None:
        more = "no number of seeds can be told that would decide"
    else:
        more = f"{counted(line.more_seeds, 'more seed')} would decide in four cases of five"
    return f"{line.name} on {line.title} is undecided: {more}"
