"""Findings as JSON, SARIF 2.1.0 and GitHub annotations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from compat import __version__
from compat.api.findings import RULES, Finding
from compat.api.upgrade import Upgrade

_RANKS = {"high": 90.0, "medium": 60.0, "low": 30.0}


def told(finding: Finding) -> str:
    """Return a finding's text with what to write instead."""
    if not finding.replacement:
        return finding.message
    return f"{finding.message}; instead: {finding.replacement}"


def as_json(findings: Sequence[Finding], between: Mapping[str, Upgrade]) -> dict[str, Any]:
    """Return what ``--format json`` prints."""
    return {
        "schema": 1,
        "releases": {one: {"from": up.before, "to": up.after} for one, up in between.items()},
        "breaks": sum(one.level == "error" for one in findings),
        "findings": [{**asdict(one), "level": one.level} for one in findings],
    }


def as_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log (OASIS, sarif-v2.1.0), for code scanning."""
    names = list(RULES)
    rules = [
        {
            "id": name,
            "shortDescription": {"text": text},
            "defaultConfiguration": {"level": level},
        }
        for name, (level, text) in RULES.items()
    ]
    results = [
        {
            "ruleId": one.rule,
            "ruleIndex": names.index(one.rule),
            "level": one.level,
            "rank": _RANKS[one.confidence],
            "message": {"text": told(one)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.file)},
                        "region": {"startLine": one.line, "startColumn": max(one.column, 1)},
                    }
                }
            ],
            "properties": {
                "symbol": one.symbol,
                "breaksAt": one.breaks_at,
                "confidence": one.confidence,
                "source": one.source,
            },
        }
        for one in findings
    ]
    driver = {"name": "trt-compat", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def as_annotations(findings: Sequence[Finding]) -> list[str]:
    """Return GitHub's workflow commands, one a finding."""
    return [
        f"::{one.level} file={_escaped(one.file, ',:')},line={one.line},col={max(one.column, 1)},"
        f"title={_escaped('trt-compat ' + one.rule, ',:')}::{_escaped(told(one))}"
        for one in findings
    ]


def _escaped(text: str, more: str = "") -> str:
    """Return a text as workflow commands want it (actions/toolkit, command.ts)."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for one in more:
        text = text.replace(one, f"%{ord(one):02X}")
    return text
