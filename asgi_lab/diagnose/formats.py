"""Diagnoses for machines: JUnit for test reports, SARIF for scanners, GitHub's annotations.

All of them get everything: each diagnosis, and each broken rule.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from asgi_lab import __version__
from asgi_lab.diagnose import DIAGNOSES
from asgi_lab.diagnose.catalogue import CATALOGUE
from asgi_lab.diagnose.diagnosis import WARNING, Diagnosis, worst_first
from asgi_lab.diagnose.evidence import Evidence
from asgi_lab.events import Trace
from asgi_lab.plain import clean
from asgi_lab.spec.rules import find

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


Only = Collection[int] | None
"""Connections of which to tell; None for all."""


def everything(trace: Trace, only: Only = None) -> Sequence[Diagnosis]:
    """Return all diagnoses and all broken rules, also those that a diagnosis explains."""
    evidence = Evidence(trace)
    found = (one for find_all in DIAGNOSES.values() for one in find_all(evidence))
    return worst_first(among(found, only))


def among(found: Iterable[Diagnosis], only: Only) -> Iterator[Diagnosis]:
    """Yield those that concern some connections."""
    chosen = None if only is None else {*only}
    return (one for one in found if chosen is None or not chosen.isdisjoint(one.conns))


def versions(trace: Trace) -> str:
    """Return what it was seen on: `uvicorn 0.54.0, fastapi 0.165.0, Python 3.11.7`."""
    header = trace.header
    frameworks = header.get("frameworks")
    told = [header.get("server"), *(frameworks if isinstance(frameworks, list) else ())]
    python = [f"Python {header['python']}"] if header.get("python") else []
    return ", ".join([clean(one) for one in dict.fromkeys(told) if one] + python)


def advice(diagnosis: Diagnosis) -> str:
    """Return all that is said of it."""
    *rows, (_, more) = diagnosis.rows()
    return "\n".join(
        [diagnosis.sentence, *(f"{name.capitalize()}: {text}" for name, text in rows), more]
    )


def as_json(trace: Trace, only: Only = None) -> dict[str, Any]:
    """Return what is wrong as JSON holds it: the diagnoses, and each broken rule as a finding."""
    return {
        "diagnoses": [one.as_json() for one in among(trace.diagnose(), only)],
        "findings": [one.as_json() for one in everything(trace, only) if one.rule],
    }


def github(trace: Trace, only: Only = None) -> str:
    """Return workflow commands, by which GitHub marks the lines of a pull request."""
    return "".join(f"{annotation(one)}\n" for one in everything(trace, only))


def annotation(one: Diagnosis) -> str:
    """Return one workflow command."""
    kind = "warning" if one.severity == WARNING else "notice"
    fields = {"title": f"asgi-lab {one.name}"}
    if place := one.place:
        fields = {"file": place[0], "line": str(place[1]), **fields}
    told = ",".join(f"{key}={data(value, ',:')}" for key, value in fields.items())
    return f"::{kind} {told}::{data(f'{one.sentence} {one.remedy} ({one.more})')}"


def data(text: str, more: str = "") -> str:
    """Return a text as a workflow command takes it."""
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def sarif(trace: Trace, only: Only = None) -> str:
    """Return a SARIF 2.1.0 log with one run."""
    found = everything(trace, only)
    names = list(dict.fromkeys(one.name for one in found))
    driver = {
        "name": "asgi-lab",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [descriptor(name) for name in names],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [result(one, names.index(one.name)) for one in found],
        "properties": {"seenOn": versions(trace)},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def descriptor(name: str) -> dict[str, Any]:
    """Return what SARIF says of a rule."""
    if name in CATALOGUE:
        told = CATALOGUE[name]
        return {
            "id": name,
            "name": "".join(part.capitalize() for part in name.split("-")),
            "shortDescription": {"text": told.title},
            "fullDescription": {"text": told.comes},
            "helpUri": told.sources[0],
            "help": {"text": f"asgi-lab explain {name}"},
        }
    rule = find(name)
    return {
        "id": name,
        "shortDescription": {"text": rule.sentence},
        "fullDescription": {"text": f"{rule.sentence} {rule.remedy}"},
        "helpUri": rule.where[0].url,
        "help": {"text": f"asgi-lab rules {name}"},
    }


def result(one: Diagnosis, index: int) -> dict[str, Any]:
    """Return one result."""
    told: dict[str, Any] = {
        "ruleId": one.name,
        "ruleIndex": index,
        "level": "warning" if one.severity == WARNING else "note",
        "message": {"text": f"{one.sentence} {one.remedy}"},
        "occurrenceCount": one.count,
        "properties": {"request": one.request, "connections": list(one.conns)},
    }
    if place := one.place:
        where = {"uri": uri(place[0])}
        physical = {"artifactLocation": where, "region": {"startLine": max(place[1], 1)}}
        told["locations"] = [{"physicalLocation": physical}]
    return told


def uri(file: str) -> str:
    """Return a file as SARIF refers to it: relative to the sources, if it is."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def junit(trace: Trace, only: Only = None) -> str:
    """Return a JUnit report: a test case each diagnosis; those with a warning fail."""
    found = everything(trace, only)
    cases = list(junit_cases(found))
    failures = sum(fails for _, fails in cases)
    head = f'name="asgi-lab" tests="{len(cases)}" failures="{failures}" errors="0" skipped="0"'
    seen = f'    <property name="seenOn" value={quoteattr(versions(trace))}/>'
    body = "\n".join(xml for xml, _ in cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'  <testsuite {head} time="{trace.seconds:.3f}">\n'
        f"   <properties>\n{seen}\n   </properties>\n{body}\n  </testsuite>\n</testsuites>\n"
    )


def junit_cases(found: Sequence[Diagnosis]) -> Iterator[tuple[str, bool]]:
    """Yield a test case each diagnosis and each broken rule, and whether it fails."""
    names = [*(name for name in CATALOGUE if name != "BAD-SEQUENCE"),
             *dict.fromkeys(one.rule for one in found if one.rule)]  # fmt: skip
    for name in names:
        own = [one for one in found if one.name == name]
        bad = [one for one in own if one.severity == WARNING]
        kind = "rules" if name not in CATALOGUE else "diagnoses"
        inner = ""
        if bad:
            text = escape("\n\n".join(map(advice, bad)))
            inner = f"<failure type={quoteattr(name)} message={quoteattr(bad[0].sentence)}>"
            inner += f"{text}</failure>"
        elif own:
            inner = f"<system-out>{escape(advice(own[0]))}</system-out>"
        place = next((one.place for one in (*bad, *own) if one.place), None)
        at = f' file={quoteattr(place[0])} line="{place[1]}"' if place else ""
        case = f'    <testcase classname="asgi-lab.{kind}" name={quoteattr(name)}{at} time="0">'
        yield f"{case}{inner}</testcase>", bool(bad)


FORMATS: dict[str, Callable[[Trace, Only], str]] = {
    "junit": junit,
    "sarif": sarif,
    "github": github,
}
"""What `--format` writes of findings and diagnoses, by its name."""
