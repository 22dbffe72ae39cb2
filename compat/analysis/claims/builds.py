"""Claims about builds and loads: what was counted, and what changed between two builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Final

from compat.analysis.claims.engines import TENSORRT, Engines, kind
from compat.analysis.claims.statement import Statement, counted, times
from compat.analysis.comparison import Names, pair_up, percent
from compat.analysis.evidence import Evidence
from compat.analysis.observations import RAN, Observation
from compat.analysis.results import Claim, ClaimWord

PATCHES: Final = Statement(
    "patch-loads", "patch releases of TensorRT usually load each other's engines"
)
WORKSPACE: Final = Statement(
    "workspace-tactics", "another workspace can change tactics, and with them speed and outputs"
)
DETERMINISM: Final = Statement(
    "build-determinism",
    "engine builds are not bit-deterministic",
    source="NVIDIA, samples/trtexec/README.md",
)
_SHOWN: Final = 6
#: What two builds are compared by.
_KINDS: Final = ("layer types", "outputs", "latency")


def patch_loads(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Plain engines in another patch release of the same major and minor: loaded of tried."""
    tried: dict[tuple[str, str], list[Observation]] = {}
    for item in evidence.seen.by_id.values():
        pair = engines.version(item.pair[0]), engines.version(item.pair[1])
        if _crosses_a_patch(engines, item) and item.status in RAN:
            tried.setdefault(pair, []).append(item)
    if not tried:
        yield PATCHES.missing("no plain engine was tried in another patch release")
        return
    counts = {p: (sum(o.status == "ok" for o in items), len(items)) for p, items in tried.items()}
    loaded, total = (sum(column) for column in zip(*counts.values(), strict=True))
    # Engines of one pair of releases go the same way, so the pairs are what is counted.
    good = sum(1 for ok, count in counts.values() if ok == count)
    usually = 2 * good > len(counts)
    split = 2 * good == len(counts)
    names = [f"{a} → {b}: {ok} of {n}" for (a, b), (ok, n) in list(counts.items())[:_SHOWN]]
    more = len(counts) - len(names)
    yield PATCHES.row(
        "all",
        f"{counted(total, 'load')}, builder and runtime of other patch releases",
        "inconclusive" if split else "confirmed" if usually else "refuted",
        f"{loaded} of {total} loaded",
        note="; ".join([*names, *([f"and {more} more pairs"] if more else [])]),
        value=loaded / total,
        items=tuple(o.id for items in tried.values() for o in items),
    )


def _crosses_a_patch(engines: Engines, item: Observation) -> bool:
    if item.check != "load" or item.item["variant"] != "plain":
        return False
    builder, runtime = (engines.targets[name] for name in item.pair)
    if {builder["flavour"], runtime["flavour"]} != {TENSORRT}:
        return False
    a, b = (str(t["version"]).split(".") for t in (builder, runtime))
    return a[:2] == b[:2] and a != b


def determinism(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Engines that were built twice: how many gave the same bytes."""
    found = list(engines.at_home(TENSORRT, "rebuild"))
    if not found:
        yield DETERMINISM.missing("no engine was built twice")
        return
    differ = sum(1 for o in found if not _numbers(o).get("identical"))
    releases = counted(len({engines.version(o.pair[0]) for o in found}), "release")
    yield DETERMINISM.row(
        "all",
        f"{counted(len(found), 'engine')} built twice, {releases}",
        "confirmed" if differ else "inconclusive",
        f"{differ} of {len(found)} gave other bytes",
        note="" if differ else "that all of them always would is not shown",
        value=differ / len(found),
        items=tuple(o.id for o in found),
    )


def _numbers(item: Observation) -> dict[str, Any]:
    return dict((item.record or {}).get("numbers") or {})


@dataclass(frozen=True, slots=True)
class _Change:
    """What was looked at in two builds of one graph: by kind, whether it differs, in words."""

    found: Mapping[str, tuple[bool, str]]

    @property
    def moved(self) -> set[str]:
        """The kinds of things that differ."""
        return {name for name, (differs, _) in self.found.items() if differs}

    @property
    def told(self) -> str:
        """All that was looked at."""
        return ", ".join(self.found[name][1] for name in _KINDS if name in self.found)


def workspace(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Two builders that differ in their workspace alone; a third that differs in nothing is chance.

    Builds are not deterministic, so a change alone shows nothing: it counts where two builds with
    the same settings gave the same.
    """
    rows = []
    small = {n for n, t in engines.targets.items() if "workspace" in (t.get("build") or {})}
    for build in engines.at_home(TENSORRT, "build", variant="plain"):
        if build.item["builder"] not in small:
            continue
        for other in engines.at_home(TENSORRT, "build", **_same_cell(build)):
            if _workspace_apart(engines, build, other):
                rows.append(_workspace_row(evidence, engines, build, other))
                break
    if not rows:
        missing = "no two targets of one release that differ in [build] workspace alone"
        rows.append(WORKSPACE.missing(missing))
    yield from rows


def _workspace_row(
    evidence: Evidence, engines: Engines, build: Observation, base: Observation
) -> Claim:
    word: ClaimWord
    change = _change(evidence, build, base)
    control = _control(evidence, engines, build, base)
    builder, reference = build.item["builder"], base.item["builder"]
    moved = change.moved
    if not moved:
        word, note = "inconclusive", _unmoved(change)
    elif not control.found:
        word, note = "inconclusive", "no second build with the same settings to tell it from chance"
    elif moved & control.moved:
        word, note = "inconclusive", f"so did a second build with the same settings: {control.told}"
    elif lacking := [name for name in _KINDS if name in moved and name not in control.found]:
        told = f"they do not say whether the {' and the '.join(lacking)} would change by chance"
        word, note = "inconclusive", f"two builds with the same settings: {control.told}; {told}"
    else:
        word, note = "confirmed", f"two builds with the same settings: {control.told}"
    size = engines.targets[builder]["build"]["workspace"] / 2**20
    return WORKSPACE.row(
        "/".join((builder, reference, *build.cell)),
        f"{build.item['model']} {kind(build)}: {builder} ({size:,.4g} MiB) against {reference}",
        word,
        change.told,
        note=note,
        items=(build.id, base.id) if change.found else (),
    )


def _unmoved(change: _Change) -> str:
    """Why no change shows nothing."""
    known = [name for name in _KINDS if name in change.found]
    if not known:
        return "no layer types, outputs or latency of both builds to compare"
    what = "nothing changed here"
    if len(known) < len(_KINDS):
        what = f"the {' and the '.join(known)} did not change"
    return f"{what}; that it never does is not shown"


def _same_cell(item: Observation) -> dict[str, str]:
    names = ("model", "precision", "typing", "variant")
    return dict(zip(names, item.cell, strict=True))


def _workspace_apart(engines: Engines, item: Observation, base: Observation) -> bool:
    """Whether two builders differ in the workspace alone, and the first has the smaller one."""
    one, other = (engines.targets[o.pair[0]] for o in (item, base))
    a, b = (dict(t.get("build") or {}) for t in (one, other))
    small, large = a.pop("workspace", None), b.pop("workspace", None)
    smaller = small is not None and (large is None or small < large)
    return smaller and a == b and one["version"] == other["version"]


def _control(
    evidence: Evidence, engines: Engines, build: Observation, base: Observation
) -> _Change:
    """What builds of the same cell with the same settings differ in, if there are such."""
    merged: dict[str, tuple[bool, str]] = {}
    for one in (base, build):
        twins = [
            o
            for o in engines.at_home(TENSORRT, "build", **_same_cell(one))
            if _settings(engines, o) == _settings(engines, one)
        ]
        for pair in permutations(twins, 2):
            for name, (differs, said) in _change(evidence, *pair).found.items():
                if name not in merged or (differs and not merged[name][0]):
                    merged[name] = differs, said
    return _Change(merged)


def _settings(engines: Engines, item: Observation) -> tuple[Any, ...]:
    target = engines.targets[item.pair[0]]
    return target["version"], target.get("build") or {}


def _change(evidence: Evidence, build: Observation, base: Observation) -> _Change:
    """Compare the layers, the outputs and the latency of two builds; each where it is known."""
    ours, theirs = ((o.record or {}).get("facts", {}).get("layer_types") for o in (build, base))
    layers = f"{'other' if ours != theirs else 'the same'} layer types" if ours and theirs else ""
    looked = (
        (ours != theirs, layers),
        _outputs(evidence, build, base),
        _speed(evidence, build, base),
    )
    return _Change({name: one for name, one in zip(_KINDS, looked, strict=True) if one[1]})


def _places(
    evidence: Evidence, check: str, build: Observation, base: Observation
) -> Iterator[tuple[Observation, Observation]]:
    """Both engines at home, at each place in the profile."""
    for place, pairs in evidence.seen.by_place.items():
        if place[0] == check and place[1:5] == build.cell:
            item, reference = pairs.get(build.pair), pairs.get(base.pair)
            if item and reference and item.status == reference.status == "ok":
                yield item, reference


def _outputs(evidence: Evidence, build: Observation, base: Observation) -> tuple[bool, str]:
    """Whether outputs differ, by the drift that was computed between the two, if it was."""
    moved = [
        found["max_abs"]
        for item, reference in _places(evidence, "accuracy", build, base)
        if (found := evidence.moved(item, reference)) and "max_abs" in found
    ]
    if not moved:
        return False, ""
    most = max(moved)
    return most > 0, f"outputs differ by up to {most:.2g}" if most else "equal outputs"


def _speed(evidence: Evidence, build: Observation, base: Observation) -> tuple[bool, str]:
    """Whether latency differs by more than the allowed band, whichever way."""
    pairs = list(_places(evidence, "latency", build, base))
    names = Names(build.item["builder"], base.item["builder"], base.item["builder"])
    band = float(evidence.plan["limits"]["latency"])
    found = pair_up(evidence.plan, pairs, names)
    intervals = [p.interval for p in found if p.interval is not None and not p.unclear]
    if not intervals:
        return False, ""
    far = max(intervals, key=lambda i: abs(i.ratio - 1))
    differs = far.low > 1 + band or far.high < 1 / (1 + band)
    said = f"latency {times(far.ratio)} ({far.low:.3f} to {far.high:.3f})"
    return differs, said if differs else f"{said}, within {percent(band)}"
