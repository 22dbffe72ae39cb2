"""What the command ``trt-compat init`` does."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from compat.config.load import FILE_NAME
from compat.starting import session
from compat.starting.writing import Start, prepare, write


def init(arguments: argparse.Namespace, console: Console) -> int:
    """Write, or print, a first matrix."""
    force = arguments.force or arguments.dry_run
    start = prepare(arguments.folder, python=arguments.python, force=force)
    if not arguments.dry_run:
        write(start)
    if arguments.json:
        console.print_json(json.dumps(_machine_readable(start, not arguments.dry_run)))
        return 0
    if arguments.dry_run:
        for path, text in start.files.items():
            console.print(f"# ===== {path} =====\n{text}", markup=False)
        return 0
    for line in _told(start, arguments):
        console.print(line, markup=False)
    return 0


def _told(start: Start, arguments: argparse.Namespace) -> Iterator[str]:
    driver = start.found.driver
    gpus = ", ".join(f"{gpu.name} ({gpu.arch})" for gpu in driver.gpus)
    yield f"driver: {driver.problem or f'CUDA {driver.cuda}, {gpus}'}"
    yield f"containers: {start.found.engine or 'neither Docker nor Podman on PATH'}"
    if start.found.installed is not None:
        yield f"TensorRT {start.found.installed.version} in {start.found.installed.python}"
    elif arguments.python is not None:
        yield f"TensorRT: {arguments.python} has none"
    models = start.searched.models
    yield f"ONNX files: {len(models)} taken, {len(start.searched.refused)} refused"
    for model in models:
        for axis in model.description.missing:
            yield f"  {model.path}: the sizes of {axis} are a guess; write what you serve"
    if start.searched.refused:
        yield f"  why the refused ones are, stands in {arguments.folder / FILE_NAME}"
    for path in start.files:
        yield f"wrote {path}"
    if not start.found.has_gpu:
        yield "no GPU here: [gate] lets pass what could not run, delete it where you gate releases"
    for path in start.kept:
        yield f"kept {path}; a session for it:\n\n{session.noxfile()}"
    there = "" if arguments.folder == Path() else f"cd {shlex.quote(str(arguments.folder))}, "
    yield f"next: {there}trt-compat plan, then trt-compat run --quick;"
    yield "keep .trt-compat/ and reports/latest/ out of git"


def _machine_readable(start: Start, written: bool) -> dict[str, Any]:
    installed = start.found.installed
    return {
        "written": written,
        "files": {str(path): text for path, text in start.files.items()},
        "kept": [str(path) for path in start.kept],
        "driver": start.found.driver._asdict(),
        "engine": start.found.engine,
        "installed": installed and {"version": installed.version, "python": str(installed.python)},
        "models": [
            {"name": m.name, "path": m.path, "guessed": list(m.description.missing)}
            for m in start.searched.models
        ],
        "refused": [list(one) for one in start.searched.refused],
        "left_out": list(start.searched.left_out),
        "targets": [asdict(target) for target in start.proposal.targets],
        "notes": list(start.proposal.notes),
    }
