"""What ``trt-compat predict --environment`` does."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console

from compat.commands.catalogue import asked_machine
from compat.errors import UserError
from compat.targets import catalogue, fit
from compat.targets.environment import Environment, Statement, statements, traps
from compat.targets.facts import facts
from compat.targets.suggestion import FLAVOURS

_EXAMPLES = {"cuda": "12.4", "cudnn": "9.1", "python": "3.10"}
_MINIMUM = 2


def judge(arguments: argparse.Namespace, console: Console) -> int:
    """Say whether the parts of an environment fit; 1 where a text rules it out."""
    asked = _environment(arguments)
    if len(asked.parts()) < _MINIMUM:
        raise UserError(
            "--environment needs two or more of --driver, --cuda, --tensorrt, --cudnn, --python "
            "and --gpu"
        )
    found = statements(asked, catalogue(), facts())
    verdict: fit.Verdict = max(
        (one.verdict for one in found),
        key=("yes", "limits", "unknown", "no").index,
        default="unknown",
    )
    notes = traps(asked, facts())
    if arguments.json:
        answer = {
            "verdict": verdict,
            "environment": {**asked.parts(), "flavour": asked.flavour},
            "statements": [asdict(one) for one in found],
            "notes": notes,
        }
        console.file.write(json.dumps(answer, indent=1) + "\n")
    else:
        for line in _told(asked, verdict, found, notes):
            console.print(line, markup=False)
    return {"no": 1, "unknown": 4}.get(verdict, 0)


def _environment(arguments: argparse.Namespace) -> Environment:
    for part, example in _EXAMPLES.items():
        text = getattr(arguments, part)
        if text and not re.fullmatch(r"\d+(\.\d+)*", text):
            raise UserError(f"--{part} {text}: write a version such as {example}")
    flavour, version = _tensorrt(arguments.tensorrt or "")
    return Environment(
        asked_machine(facts(), arguments.driver, arguments.gpu),
        flavour,
        version,
        arguments.cuda or "",
        arguments.cudnn or "",
        ".".join((arguments.python or "").split(".")[:2]),
    )


def _tensorrt(text: str) -> tuple[str, str]:
    name, sign, version = text.partition("==")
    flavour, version = (
        (name.strip().lower().replace("-", "_"), version) if sign else ("tensorrt", name)
    )
    if text and not (flavour in FLAVOURS and re.fullmatch(r"\d+(\.\d+){0,3}(\.post\d+)?", version)):
        raise UserError(
            f"--tensorrt {text}: write a version such as 10.13.2.6, or with it one of "
            f"{', '.join(FLAVOURS)}, such as tensorrt_lean==10.16.1.11"
        )
    return flavour, version


def _told(
    asked: Environment, verdict: fit.Verdict, found: list[Statement], notes: list[str]
) -> Iterator[str]:
    for one in found:
        yield f"{one.verdict:<8}{one.about}: {one.text}"
        source = f"{one.source}, {one.confidence}" if one.source else "no source"
        yield f"        [{source}]"
    for note in notes:
        yield f"note    {note}"
    if not found:
        yield f"no text was found that speaks of {', '.join(asked.parts())} together"
    yield ""
    first = next((one for one in found if one.verdict == "no"), None)
    words = {
        "yes": "nothing rules it out, and a text speaks for each of the above",
        "limits": "nothing rules it out; mind the limits above",
        "unknown": "nothing rules it out, but not all of it is said by a text",
    }
    if first:
        yield f"no: it will not {first.stage} ({first.about})"
    else:
        yield f"{verdict}: {words[verdict]}"
