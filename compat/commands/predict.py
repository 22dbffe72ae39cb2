"""What the command ``trt-compat predict`` does with engine files."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rich.console import Console

from compat.commands.catalogue import asked_machine
from compat.commands.columns import columns
from compat.commands.inspect import engines
from compat.commands.surroundings import judge
from compat.engine.prediction import Engine, Prediction, Runtime, Statement
from compat.engine.prediction import predict as foretell
from compat.engine.prediction_file import engine_of
from compat.engine.telling import plain
from compat.errors import UserError
from compat.targets import fit
from compat.targets.devices import Device, find
from compat.targets.facts import facts
from compat.targets.spec import TargetError

_FLAVOURS = (
    "tensorrt",
    "tensorrt_lean",
    "tensorrt_dispatch",
    "tensorrt_rtx",
    "onnxruntime",
    "pytorch",
)
_ON_GPU = _FLAVOURS[:4]
_OTHER_NAMES = {"torch": "pytorch", "onnxruntime_gpu": "onnxruntime"}
_PARTS = ("driver", "cuda", "tensorrt", "cudnn", "python")
_EXIT = {"must-load": 0, "must-refuse": 1, "broken": 1, "undocumented": 4, "unknown": 4}


def predict(arguments: argparse.Namespace, console: Console) -> int:
    """Say what engines will do in runtimes, or whether an environment can work."""
    given = [f"--{name}" for name in _PARTS if getattr(arguments, name)]
    if arguments.environment:
        if arguments.files or arguments.runtime:
            raise UserError("--environment judges no engines: leave FILE and --runtime out")
        return judge(arguments, console)
    if given:
        raise UserError(f"{given[0]} is a part of an environment: add --environment")
    if not arguments.files or not arguments.runtime:
        raise UserError(
            "name FILE and --runtime, such as --runtime tensorrt_lean==10.16.1.11, or --environment"
        )
    found = list(_predictions(arguments))
    if arguments.json:
        console.file.write(json.dumps([one.as_dict() for one in found], indent=1) + "\n")
    else:
        for line in (*_table(found), "", *_rules(found), *_summary(found, arguments)):
            console.print(line, markup=False)
    codes = {_EXIT[one.answer] for one in found}
    return 1 if 1 in codes else max(codes)


def _predictions(arguments: argparse.Namespace) -> Iterator[Prediction]:
    runtimes = list(_runtimes(arguments))
    arch = _one_arch(arguments.built_for)
    for path in engines(arguments.files):
        engine = engine_of(path, variant=arguments.variant, arch=arch, platform=arguments.built_on)
        for runtime in runtimes:
            yield foretell(engine, runtime)


def _runtimes(arguments: argparse.Namespace) -> Iterator[Runtime]:
    devices = asked_machine(facts(), None, arguments.gpu).devices
    for text in arguments.runtime:
        flavour, version = parse_runtime(text)
        runtime = Runtime(
            flavour,
            version,
            host_code=arguments.host_code,
            platform=arguments.platform or "",
        )
        if not devices or flavour not in _ON_GPU:
            yield runtime
            continue
        for device in devices:
            yield _on(runtime, device)


def _on(runtime: Runtime, device: Device) -> Runtime:
    """Return a runtime on a GPU, with what the catalogue says of the two."""
    reason = fit.gpu(facts(), runtime.flavour, runtime.version, device)
    refused = reason.verdict == "no"
    return replace(
        runtime,
        gpu=device.sm,
        gpu_name=str(device),
        unnamed=reason.text if reason.verdict == "unknown" else "",
        untaken=reason.text if refused else "",
        untaken_source=reason.source if refused else "",
    )


def parse_runtime(text: str) -> tuple[str, str]:
    """Return flavour and version of a runtime, such as "tensorrt-cu12==10.16.1.11".

    Raises:
        UserError: no such runtime, or no version.
    """
    name, _, version = text.partition("==")
    name = re.sub(r"_(cu\d+|libs|bindings)", "", name.strip().lower().replace("-", "_"))
    flavour = _OTHER_NAMES.get(name, name)
    if flavour not in _FLAVOURS or not re.fullmatch(r"\d+(\.\d+)+(\.post\d+)?", version):
        raise UserError(
            f"--runtime {text}: write a runtime and its version such as "
            f"tensorrt_lean==10.16.1.11; runtimes: {', '.join(_FLAVOURS)}"
        )
    return flavour, version


def _one_arch(text: str | None) -> int | None:
    if not text:
        return None
    try:
        found = find(facts(), text)
    except TargetError as error:
        raise UserError(str(error).replace("--gpu", "--built-for", 1)) from None
    if len(found) != 1:
        raise UserError(f"--built-for {text}: write one compute capability such as sm_80")
    return found[0].sm


def _table(found: Iterable[Prediction]) -> Iterator[str]:
    rows = [("answer", "engine", "runtime", "rule", "file")]
    notes: dict[int, str] = {}
    for one in found:
        first = one.statements[0]
        rule = "depends" if one.possible else first.rule
        rows.append(
            (one.answer, _built(one.engine), str(one.runtime), rule, plain(one.engine.name))
        )
        if one.possible:
            ways = ", ".join(f"{name}: {answer}" for name, answer in one.possible.items())
            notes[len(rows) - 1] = f"    depends on {' and '.join(one.depends_on)}: {ways}"
        elif one.answer == "broken":
            notes[len(rows) - 1] = f"    {plain(first.text)}"
    for number, line in enumerate(columns(rows)):
        yield line
        if number in notes:
            yield notes[number]


def _built(engine: Engine) -> str:
    arch = f"sm_{engine.arch}" if engine.arch else ""
    level = "" if engine.variant or engine.level == "none" else engine.level
    variant = engine.variant or ("vc" if engine.lean_runtime == "embedded" else "")
    parts = (engine.flavour, engine.version, variant, arch, level)
    return " ".join(filter(None, parts)) or "no whole engine"


def _rules(found: Iterable[Prediction]) -> Iterator[str]:
    """Yield every rule that decides, once, with its source and what to do."""
    said: dict[str, Statement] = {}
    for one in found:
        for statement in one.statements:
            if one.answer in (statement.answer, "unknown"):
                said.setdefault(statement.rule, statement)
    for statement in said.values():
        if statement.answer == "broken":
            continue
        yield f"{statement.rule}: {statement.text}"
        if statement.source:
            version = f" (version {statement.documented})" if statement.documented else ""
            yield f"    source  {statement.source}{version}"
        if statement.contradicted_by:
            yield f"    but     {statement.contradiction} [{statement.contradicted_by}]"
        if statement.seen:
            yield f"    seen    {statement.seen}"
        if statement.remedy:
            yield f"    do      {statement.remedy}"


def _summary(found: list[Prediction], arguments: argparse.Namespace) -> Iterator[str]:
    for note in dict.fromkeys(one.runtime.unnamed for one in found if one.runtime.unnamed):
        yield f"note: {note}"
    counts = {answer: sum(one.answer == answer for one in found) for answer in _EXIT}
    told = ", ".join(f"{count} {answer}" for answer, count in counts.items() if count)
    where = "" if arguments.gpu else "; on the GPU that each was built on (--gpu asks for another)"
    yield ""
    yield f"{len(found)} asked: {told}{where}"
