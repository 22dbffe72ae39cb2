"""All that the catalogue knows under one name: a tag, a release, a GPU, a JetPack, a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from compat.config import find_config, load_config
from compat.config.load import FILE_NAME
from compat.targets import fit
from compat.targets.catalogue import Catalogue
from compat.targets.devices import Device, find
from compat.targets.facts import Capability, Facts, Image, JetPack, Numbers, Support, numbers
from compat.targets.spec import TargetError
from compat.targets.suggestion import Offer, image_of, offers

Entry = dict[str, Any]


def dossier(name: str, config: Path | None, catalogue: Catalogue, facts: Facts) -> list[Entry]:
    """Return every entry of that name, each a title and its facts.

    Raises:
        TargetError: nothing has that name; the text says which names there are.
    """
    found = [*_image(name, facts), *_jetpack(name, facts), *_release(name, catalogue, facts)]
    return found or list(_target(name, config, catalogue, facts)) or _gpus(name, facts)


def _entry(title: str, **facts: object) -> Entry:
    kept = {
        key.replace("_", " "): ", ".join(map(str, value)) if isinstance(value, tuple) else value
        for key, value in facts.items()
        if value not in (None, "", ())
    }
    return {"title": title, "facts": kept}


def _target(name: str, config: Path | None, catalogue: Catalogue, facts: Facts) -> Iterator[Entry]:
    if config is None and not Path(FILE_NAME).is_file():
        return
    target = load_config(find_config(config, Path.cwd()), sources=False).targets.get(name)
    if target is None:
        return
    image = getattr(target, "image", None)
    yield _entry(
        f"target {name}",
        flavour=target.flavour,
        version=target.version,
        provider=target.provider,
        role=target.role,
        image=image,
    )
    if image and (row := image_of(facts, image)):
        yield _of_image(row)
    yield from _release(target.version, catalogue, facts, target.flavour)


def _image(name: str, facts: Facts) -> Iterator[Entry]:
    if row := image_of(facts, name if ":" in name else f":{name}"):
        yield _of_image(row)


def _of_image(row: Image) -> Entry:
    return _entry(
        f"image {row.reference}",
        TensorRT=row.tensorrt or "no source says",
        likely=row.likely,
        source=row.source,
        confidence=row.confidence,
        CUDA=row.cuda,
        Python=row.python,
        OS=row.os,
        cuDNN=row.cudnn,
        stack_source=row.stack_source,
        driver=f"R{row.driver} or newer" if row.driver else None,
        on_data_centre_GPUs_also=row.data_centre,
        driver_source=row.driver_source,
        from_memory=row.memory,
        note=row.note,
    )


def _jetpack(name: str, facts: Facts) -> Iterator[Entry]:
    word = name.lower().replace(" ", "").replace("-", "")
    if not word.startswith(("jetpack", "l4t", "r3")):
        return
    wanted = word.removeprefix("jetpack").removeprefix("l4t").removeprefix("r")
    for row in facts.jetpacks:
        key = row.version if word.startswith("jetpack") else row.l4t
        if not wanted or key == wanted or key.startswith(wanted + "."):
            yield _of_jetpack(row)


def _of_jetpack(row: JetPack) -> Entry:
    return _entry(
        f"JetPack {row.version}",
        L4T=row.l4t,
        TensorRT=row.tensorrt or "no source says",
        CUDA=row.cuda,
        cuDNN=row.cudnn,
        Python=row.python,
        OS=row.os,
        boards=row.boards,
        source=row.source,
        confidence=row.confidence,
        from_memory=row.memory,
        note=row.note,
    )


def _release(
    name: str, catalogue: Catalogue, facts: Facts, flavour: str | None = None
) -> Iterator[Entry]:
    """Yield what there is of a TensorRT release: where it is, its traps, its GPUs."""
    parts = name.partition(".post")[0].split(".")
    if not all(part.isdecimal() for part in parts):
        return
    wanted = numbers(name)
    where = list(_places(wanted, catalogue, facts, flavour))
    if not where:
        return
    yield {
        "title": f"{flavour or 'release'} {name}",
        "facts": {key: text for key, text, _ in where},
    }
    providers = {key.partition(" ")[0] for key, _, _ in where}
    rtx = flavour == "tensorrt_rtx" or (flavour is None and wanted[0] < 5)
    for trap in () if rtx or flavour not in (None, "tensorrt") else facts.traps:
        if trap.provider in providers and name in SpecifierSet(trap.versions):
            yield _entry("trap", text=trap.text, source=trap.source, confidence=trap.confidence)
    newest = max((version for _, _, version in where), key=numbers)
    yield _of_gpus("tensorrt_rtx" if rtx else "tensorrt", newest, facts)


def _places(
    wanted: Numbers, catalogue: Catalogue, facts: Facts, flavour: str | None
) -> Iterator[tuple[str, str, str]]:
    """Yield each place that has a release: its name, what is known of it, the version there."""
    places: dict[str, list[Offer]] = {}
    for offer in offers(catalogue, facts):
        same = offer.release and numbers(offer.release)[: len(wanted)] == wanted
        if same and flavour in (None, offer.flavour):
            places.setdefault(f"{offer.provider} {offer.name}", []).append(offer)
    for name, (one, *more) in places.items():
        said = "" if one.provider == "wheel" else f"TensorRT {one.said}, "
        cuda = " or ".join(each.cuda for each in (one, *more))
        pythons = "-".join(dict.fromkeys((*one.pythons[:1], *one.pythons[-1:]))) or "unknown"
        hint = f", {one.hint}" if one.hint else ""
        rests = f"[{one.source}, {one.confidence}]"
        yield name, f"{said}CUDA {cuda}, Python {pythons}{hint} {rests}", one.release or ""


def _of_gpus(flavour: str, release: str, facts: Facts) -> Entry:
    rows = {}
    for row in facts.capabilities:
        reason = fit.gpu(facts, flavour, release, Device(_examples(row), row.sm, "", row))
        rows[f"{reason.verdict}: {row.family} sm_{row.sm}"] = (
            f"{_examples(row)} [{reason.source}, {reason.confidence}]"
            if reason.source
            else _examples(row)
        )
    order = ("yes", "limits", "unknown", "no")
    kept = sorted(rows.items(), key=lambda one: order.index(one[0].partition(":")[0]))
    return {"title": f"GPUs of {release}", "facts": dict(kept)}


def _examples(row: Capability) -> str:
    return ", ".join((*row.data_centre, *row.jetson, *row.names)[:4])


def _gpus(name: str, facts: Facts) -> list[Entry]:
    try:
        rows = [(device, device.row) for device in find(facts, name) if device.row]
    except TargetError:
        rows = []
    if not rows:
        message = (
            f"{name}: nothing is known under this name; ask for an image tag (24.08), a release "
            "(10.13), a GPU (T4, sm_86, turing), a JetPack (jetpack-6.2) or a target of compat.toml"
        )
        raise TargetError(message)
    return [_of_gpu(device, row, facts) for device, row in rows]


def _of_gpu(device: Device, row: Capability, facts: Facts) -> Entry:
    driver = row.driver
    return _entry(
        f"GPU {device}",
        family=row.family,
        data_centre=row.data_centre,
        desktop=row.names,
        Jetson=row.jetson,
        driver=f"R{driver.branch} or newer [{driver.source}, {driver.confidence}]"
        if driver
        else None,
        TensorRT=_span(row.tensorrt),
        TensorRT_RTX=_span(row.tensorrt_rtx or facts.unlisted.tensorrt_rtx),
    )


def _span(support: Support) -> str:
    if support.refused:
        said = "taken by no release"
    else:
        words = (
            ("added in", support.added),
            ("first named for", support.first),
            ("last named for", support.named),
            ("dropped in", support.dropped),
        )
        said = ", ".join(f"{word} {value}" for word, value in words if value) or "unknown"
    note = f"; {support.note.rstrip('.')}" if support.note else ""
    return f"{said}{note} [{support.source}, {support.confidence}]"
