"""What the commands ``trt-compat targets suggest`` and ``targets show`` do."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console

from compat.commands.columns import columns
from compat.commands.dossier import dossier
from compat.targets import catalogue
from compat.targets.devices import Machine, find, parse_driver
from compat.targets.facts import Facts, facts
from compat.targets.fit import Reason
from compat.targets.spec import TargetError
from compat.targets.suggestion import FLAVOURS, Answer, Offer, Question, answer, newest, offers


def asked_machine(known: Facts, driver: str | None, gpu: str | None) -> Machine:
    """Return the machine that the options name; raises TargetError for a name nobody knows."""
    names = [] if gpu is None else gpu.split(",")
    devices = [device for name in names for device in find(known, name)]
    return Machine(None if driver is None else parse_driver(driver), None, tuple(devices))


def suggest(arguments: argparse.Namespace, console: Console) -> int:
    """List images and wheels by release, Python, driver and GPU; 1 where nothing is left."""
    known = facts()
    question = _question(arguments)
    machine = asked_machine(known, arguments.driver, arguments.gpu)
    jetson = arguments.provider == "local" or any(one.kind == "jetson" for one in machine.devices)
    asked = [
        one
        for one in offers(catalogue(), known)
        if question.fits(one) and (jetson or one.provider != "local")
    ]
    found = answer(known, machine, asked)
    kept = [one for one in found if one.verdict != "no"]
    ruled_out = [one for one in found if one.verdict == "no"]
    newer: list[Answer] = []
    if arguments.newest:
        kept, newer = newest(kept)
    if arguments.json:
        place = {"gpus": [str(one) for one in machine.devices], "driver": machine.driver}
        rows = {
            "offers": list(map(_as_dict, kept)),
            "newer_unknown": list(map(_as_dict, newer)),
            "ruled_out": list(map(_as_dict, ruled_out)),
        }
        console.print_json(json.dumps({"machine": place, **rows}))
        return 0 if kept else 1
    for line in _listing(kept, machine):
        console.print(line, markup=False)
    if arguments.why_not:
        unknown = [one for one in kept if one.verdict == "unknown"]
        for line in _why_not([*ruled_out, *unknown, *newer]):
            console.print(line, markup=False)
    if kept or arguments.why_not:
        console.print()
    console.print(_summary(kept, ruled_out, newer, machine, arguments), markup=False)
    return 0 if kept else 1


def show(arguments: argparse.Namespace, console: Console) -> int:
    """Print all that is known under one name."""
    found = dossier(arguments.name, arguments.config, catalogue(), facts())
    if arguments.json:
        console.print_json(json.dumps(found))
        return 0
    for number, entry in enumerate(found):
        if number:
            console.print()
        console.print(entry["title"], markup=False)
        lines = columns([(f"  {key}", str(value)) for key, value in entry["facts"].items()])
        for line in lines:
            console.print(line, markup=False)
    return 0


def _question(arguments: argparse.Namespace) -> Question:
    for option, form, example in (
        ("tensorrt", r"\d+(\.\d+){0,3}", "10.13"),
        ("python", r"\d+\.\d+", "3.10"),
    ):
        text = getattr(arguments, option)
        if text is not None and not re.fullmatch(form, text):
            raise TargetError(f"--{option} {text}: write a version such as {example}")
    return Question(
        tensorrt=arguments.tensorrt or "",
        python=arguments.python or "",
        provider=arguments.provider or "",
        flavours=FLAVOURS if arguments.flavour == "all" else (arguments.flavour,),
    )


def _listing(answers: list[Answer], machine: Machine) -> Iterator[str]:
    """Yield the table and the rules that its conditions rest on."""
    if not answers:
        return
    asked = bool(machine.devices or machine.driver)
    head = ("runs", "provider", "name", "TensorRT", "CUDA", "Python", "OS", "rests on", "")
    rows = [head, *(_row(one) for one in answers)]
    yield from columns(rows if asked else [row[1:] for row in rows])
    rules: dict[str, str] = {}
    for reason in (reason for one in answers for reason in one.reasons):
        if reason.short and reason.source:
            rules.setdefault(reason.short, reason.source)
    if rules:
        yield ""
        yield from columns([(f"  {short}:", source) for short, source in rules.items()])


def _row(one: Answer) -> tuple[str, ...]:
    offer = one.offer
    shorts = dict.fromkeys(reason.short for reason in one.reasons if reason.short)
    pythons = offer.pythons
    return (
        one.verdict,
        offer.provider,
        offer.name,
        _release(offer),
        offer.cuda,
        "-".join(dict.fromkeys((*pythons[:1], *pythons[-1:]))) or "unknown",
        offer.os,
        offer.confidence,
        "; ".join([*shorts, *([offer.hint] if offer.hint else [])]),
    )


def _release(offer: Offer) -> str:
    if offer.said is None:
        return "unknown"
    return offer.said if offer.said == offer.release else f"{offer.said} (likely {offer.release})"


def _why_not(answers: Iterable[Answer]) -> Iterator[str]:
    for one in answers:
        yield ""
        yield f"{one.verdict}: {one.offer.provider} {one.offer.name}, CUDA {one.offer.cuda}"
        for reason in one.reasons:
            if reason.verdict == one.verdict:
                yield f"    {reason.about}: {reason.text}"
                yield f"    {cited(reason)}"


def cited(reason: Reason) -> str:
    """Return where a reason comes from."""
    return f"[{reason.source}, {reason.confidence}]" if reason.source else "[no source]"


def _summary(
    kept: list[Answer],
    ruled_out: list[Answer],
    newer: list[Answer],
    machine: Machine,
    arguments: argparse.Namespace,
) -> str:
    if not machine.devices and not machine.driver:
        return f"{len(kept)} found"
    unknown = sum(one.verdict == "unknown" for one in kept)
    parts = [f"{len(kept) - unknown} run"]
    if arguments.newest:
        parts = ["the newest that a text says to run" if kept else "no text says that one runs"]
    if newer:
        parts.append(f"unknown and newer: {', '.join(_spans(newer))}")
    elif unknown:
        parts.append(f"{unknown} unknown")
    if ruled_out:
        parts.append(f"{len(ruled_out)} ruled out")
    hint = "" if arguments.why_not or not (ruled_out or newer) else "; --why-not says why"
    return f"on {machine}: {', '.join(parts)}{hint}"


def _spans(newer: list[Answer]) -> Iterator[str]:
    """Yield the names of each provider and flavour, the first and the last of many."""
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for one in newer:
        groups.setdefault((one.offer.provider, one.offer.flavour), {})[one.offer.name] = None
    for names in map(list, groups.values()):
        yield f"{names[0]} to {names[-1]} ({len(names)})" if len(names) > 3 else ", ".join(names)


def _as_dict(one: Answer) -> dict[str, Any]:
    offer = one.offer
    return {
        "verdict": one.verdict,
        "provider": offer.provider,
        "name": offer.name,
        "image": offer.image.reference if offer.image else None,
        "flavour": offer.flavour,
        "tensorrt": offer.said,
        "likely": offer.release,
        "cuda": offer.cuda,
        "pythons": list(offer.pythons),
        "os": offer.os,
        "hint": offer.hint,
        "source": offer.source,
        "confidence": offer.confidence,
        "note": offer.image.note if offer.image else "",
        "reasons": [asdict(reason) for reason in one.reasons],
    }
