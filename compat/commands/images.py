"""What the commands ``trt-compat images`` do."""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from compat import images
from compat.config import find_config, load_config
from compat.config.load import FILE_NAME
from compat.images import summary


def status(arguments: argparse.Namespace, console: Console) -> int:
    """Compare both sides; 1 where something stops, 4 where a registry was not to be asked."""
    asking = _asking(arguments)
    surveyor = images.Surveyor(arguments.ca, _progress)
    survey = surveyor.survey(asking.wishes)
    now = datetime.now(UTC)
    judged = images.judge(survey.rows, asking.limit, now)
    code = images.exit_code(judged, survey)
    page = summary.markdown(judged, survey, now)
    if arguments.markdown is not None:
        _write(arguments.markdown, page)
    if arguments.summary:
        _add_to_summary(page)
    if arguments.json:
        found = summary.as_dict(judged, survey, asking.limit, now, code)
        console.print_json(json.dumps(found))
        return code
    for line in summary.lines(judged, survey):
        console.print(line, markup=False)
    return code


def sync(arguments: argparse.Namespace, console: Console) -> int:
    """Plan the copies, and make them where that is asked."""

    def say(text: str) -> None:
        if not arguments.json:
            console.print(text, markup=False)

    asking = _asking(arguments)
    tool = images.Tool()
    if arguments.run or arguments.engine or arguments.skopeo_image:
        tool = images.find_tool(arguments.engine, arguments.skopeo_image)
    surveyor = images.Surveyor(arguments.ca, _progress)
    survey = surveyor.survey(asking.wishes)
    plan = images.plan_copies(survey.rows, survey.unasked)
    said = summary.plan_dict(plan, tool)
    if arguments.plan is not None:
        _write(arguments.plan, json.dumps(said, indent=1) + "\n")
    for line in summary.plan_lines(plan):
        say(line)
    outcomes = []
    copies = plan.copies if arguments.run else ()
    with _terminable():
        for outcome in images.carry_out(copies, tool, surveyor, arguments.ca, _progress):
            outcomes.append(outcome)
            say(summary.outcome_line(outcome))
    if len(copies) < len(plan.copies):
        say("nothing was copied: give --run for that")
    if arguments.json:
        said["outcomes"] = [summary.outcome_dict(one) for one in outcomes]
        console.print_json(json.dumps(said))
    if plan.impossible or any(one.problem for one in outcomes):
        return 1
    return 4 if plan.unknown else 0


@dataclass(frozen=True, slots=True)
class _Asking:
    """What configuration and command line ask for together."""

    wishes: list[images.Wish]
    limit: timedelta | None


def _asking(arguments: argparse.Namespace) -> _Asking:
    """Put both together; the command line counts over the file."""
    config = None
    if arguments.config is not None or not arguments.repository or Path(FILE_NAME).is_file():
        config = load_config(find_config(arguments.config, Path.cwd()), sources=False)
    table = config.images if config else None
    upstream = arguments.upstream or (table and table.upstream)
    mirror = arguments.mirror or (table and table.mirror)
    lag = vars(arguments).get("max_lag") or (table and table.max_lag)
    route = images.Route(
        images.parse_place(upstream) if upstream else None,
        images.parse_place(mirror) if mirror else None,
    )
    wishes: dict[images.Pair, list[images.Pin]] = {}
    for name in arguments.repository:
        wishes[route.named(name)] = []
    for pair, pin in images.pins(config.targets, route) if config else ():
        if pair in wishes or not arguments.repository:
            wishes.setdefault(pair, []).append(pin)
    if not wishes:
        raise images.ImagesError(
            "no target names an image of a registry; name a repository by --repository, such as "
            "nvcr.io/nvidia/tensorrt"
        )
    patterns = tuple(arguments.tags or (["*"] if arguments.repository else []))
    return _Asking(
        [images.Wish(pair, patterns, tuple(pins)) for pair, pins in wishes.items()],
        images.parse_lag(lag) if lag else None,
    )


@contextmanager
def _terminable() -> Iterator[None]:
    """End as by Ctrl-C where a job is cancelled: no copy goes on, no file with logins stays."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _progress(text: str) -> None:
    """Tell on the error stream that something happens: the output may be JSON."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise images.ImagesError(f"{path}: cannot be written ({error.strerror})") from None


def _add_to_summary(page: str) -> None:
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        _progress("--summary: the variable GITHUB_STEP_SUMMARY is not set, so nothing was added")
        return
    try:
        with Path(name).open("a", encoding="utf-8") as stream:
            stream.write(page)
    except OSError as error:
        raise images.ImagesError(f"{name}: cannot be written ({error.strerror})") from None
