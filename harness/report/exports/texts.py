"""Write the leaderboard as Markdown (pull requests, job summaries), LaTeX (booktabs) and JUnit XML (CI gates)."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from harness.comparison.board_text import board_cells, board_line, board_notes, skipped_lines
from harness.formatting import markdown_cell, number, rank_range
from harness.metrics_table import OBSERVED, SINGLE
from harness.report.typography import capital

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def markdown(board: dict[str, Any]) -> str:
    """Return the verdict, a table and the notes as Markdown."""
    titles = ["rank", "tier", "model", "score", "95% interval", *(metric.title for metric in SINGLE), "coverage"]
    lines = [f"**{markdown_cell(board['verdict'])}**", "", board_line(board), ""]
    aligned = {"model": ":---", "95% interval": ":---:"}
    lines += [f"| {' | '.join(titles)} |", f"|{'|'.join(aligned.get(title, '---:') for title in titles)}|"]
    for row in board["entries"] + board["references"]:
        ranked = [rank_range(row), str(row["tier"])] if "tier" in row else ["-", "-"]
        lines.append(f"| {' | '.join([*ranked, markdown_cell(row['name']), *board_cells(row)])} |")
    lines += [f"\n{markdown_cell(note)}" for note in board_notes(board)]
    broken = [f"{entry['name']}: {entry['error'].splitlines()[0]}" for entry in board["broken"]]
    lines += [f"\nBroken: {markdown_cell(text)}" for text in broken]
    lines += [f"\nNot shown: {markdown_cell(text)}" for text in skipped_lines(board)]
    return "\n".join(lines) + "\n"


def latex(board: dict[str, Any]) -> str:
    """Return the inside of a LaTeX table; it needs \\usepackage{booktabs}."""
    lines = [
        f"% {_one_line(board_line(board))}",
        rf"\begin{{tabular}}{{rl{'r' * len(OBSERVED)}}}",
        r"\toprule",
        rf"Rank & Model & {' & '.join(capital(metric.title) for metric in OBSERVED)} \\",
        r"\midrule",
        *(_latex_row(row) for row in board["entries"]),
        *([r"\midrule"] if board["references"] and board["entries"] else []),
        *(_latex_row(row) for row in board["references"]),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(row: dict[str, Any]) -> str:
    rank = rank_range(row).replace("-", "--") if "tier" in row else "--"
    cells = [_with_half(row["metrics"][metric.key]) for metric in OBSERVED]
    return f"{rank} & {escaped(row['name'])} & {' & '.join(cells)} \\\\"


def _with_half(metric: dict[str, Any]) -> str:
    if metric["value"] is None:
        return "--"
    half = "" if metric["low"] is None else rf" {{\scriptsize $\pm$ {number((metric['high'] - metric['low']) / 2)}}}"
    return f"{number(metric['value'])}{half}"


def escaped(text: str) -> str:
    """Return text that LaTeX sets literally."""
    return "".join(LATEX.get(char, char) for char in _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def junit(board: dict[str, Any]) -> str:
    """Return JUnit XML: a suite for each entry, a case for each check; broken entries are errors."""
    root = ElementTree.Element("testsuites", name=f"harness leaderboard {board['world']} / {board['split']}")
    for row in board["entries"]:
        _suite(root, row["name"], _checks(row, board))
    for entry in board["broken"]:
        _suite(root, entry["name"], [("is read", "error", entry["error"])])
    return document(root)


def _checks(row: dict[str, Any], board: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the checks of an entry: name, "failure" or nothing, and what is wrong."""
    copies = [copy["text"] for copy in board["copies"] if row["name"] in copy["entries"]]
    missing = "" if row["coverage"] >= 1 else f"{row['coverage']:.2%} of the clips have a line"
    invalid = "" if not row["invalid"] else f"{row['invalid']:.2%} of the clips have an unreadable or invalid line"
    checks = [
        ("coverage is 100%", missing),
        ("every line is valid", invalid),
        ("no audit flag", ", ".join(row["flags"])),
        ("is no copy", "; ".join(copies)),
    ]
    return [(name, "failure" if wrong else "", wrong) for name, wrong in checks]


def gates(name: str, conditions: list[tuple[str, str]]) -> str:
    """Return JUnit XML of one suite: a case for each gate, which fails where `conditions` says what is wrong."""
    root = ElementTree.Element("testsuites", name="harness score")
    _suite(root, name, [(gate, "failure" if wrong else "", wrong) for gate, wrong in conditions])
    return document(root)


def _suite(root: ElementTree.Element, name: str, cases: list[tuple[str, str, str]]) -> None:
    counts = {kind: str(sum(case[1] == kind for case in cases)) for kind in ("failure", "error")}
    suite = ElementTree.SubElement(
        root, "testsuite", name=_xml(name), tests=str(len(cases)), failures=counts["failure"], errors=counts["error"]
    )
    for title, kind, wrong in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(name), name=_xml(title))
        if kind:
            ElementTree.SubElement(case, kind, message=_xml(wrong.splitlines()[0])).text = _xml(wrong)


def document(root: ElementTree.Element) -> str:
    """Return an element as an indented XML document."""
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    """Replace the characters that XML 1.0 cannot hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
