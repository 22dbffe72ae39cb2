"""``trt-compat bundle create``: everything that a machine without a network needs, in parts."""

from __future__ import annotations

import fnmatch
import gzip
import io
import json
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import compat
from compat import models, workflow
from compat.bundle import interpreter, layout, making, parts, thin, wheels, wire
from compat.bundle.parts import BundleError, Member
from compat.bundle.run import sha256_of
from compat.conductor.jobs import typed_model
from compat.conductor.lock import locked
from compat.config import Config
from compat.matrix import Plan
from compat.models.onnxfile import external_files, read_model
from compat.prepared import PreparedModel
from compat.settings import target_spec
from compat.targets import TargetSpec, Unavailable, wheel
from compat.targets import uv as uvs
from compat.targets.catalogue import Catalogue, Recipe, catalogue
from compat.workflow import Options

# What the conductor imports, in the versions that run here.
HOST = (
    *("annotated-types", "markdown-it-py", "mdurl", "packaging", "pydantic", "pydantic-core"),
    *("pygments", "rich", "typing-extensions", "typing-inspection"),
)
_PACKAGE = Path(compat.__file__).parent
_FETCH_LIMIT_S = 3600.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to pack.

    python: the far machine's own; interpreters: versions to bring along.
    without: patterns of files to leave out of wheels.
    make_models: have the far machine make the models that need no file of this one.
    """

    options: Options
    to: Path
    part_size: int
    python: str = "3.12"
    interpreters: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    make_models: bool = False


@dataclass(slots=True)
class _Packing:
    """The bundle as it comes together: files by their far name, and ``far.json``."""

    request: Request
    releases: Catalogue
    say: Say
    files: dict[str, Path] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    deps: dict[str, list[str]] = field(default_factory=dict)
    interpreters: dict[str, dict[str, str]] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    make: dict[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """The work folder on this machine."""
        return self.request.options.work

    def uv(self, target: TargetSpec) -> uvs.Uv:
        """Return uv for a target, with its own log."""
        log = self.work / "logs" / f"bundle-{target.name}.log"
        deadline = time.monotonic() + _FETCH_LIMIT_S
        return uvs.Uv(target, uvs.find(), log, deadline, self.say)

    def fetch(
        self, target: TargetSpec, recipe: Recipe, python: str, unopened: Sequence[str] = ()
    ) -> list[str]:
        """Fetch a recipe's wheels and return their names in the bundle.

        What is `unopened` is left out without being listed: nothing of the far side's own needs it.
        """
        folder = self.work / "wheels" / f"py{python}"
        names = []
        for path in wheels.fetch(self.uv(target), recipe, python, folder):
            name = f"wheels/py{python}/{path.name}"
            asked = self.request.without
            self.files[name], left = thin.thinned(path, (*asked, *unopened), folder / "thin")
            self.without += [one for one in left if any(fnmatch.fnmatchcase(one, p) for p in asked)]
            names.append(name)
        return names


def create(request: Request, say: Say) -> Path:
    """Write the bundle and return its folder.

    Raises:
        UserError: the configuration is wrong, or something of the bundle cannot be had.
    """
    config, planned = workflow.lay_out(request.options)
    with locked(request.options.work, "--work"), locked(request.to, "--to"):
        packing = _Packing(request, catalogue(), say)
        prepared = _models(packing, config, planned)
        _targets(packing, config, planned)
        host = _host(packing)
        _check_patterns(packing)
        _interpreters(packing)
        far = {
            "schema": 1,
            "config": _carried(config),
            "plan": planned.as_dict(),
            "models": prepared,
            "make": packing.make,
            "targets": packing.targets,
            "deps": packing.deps,
            "interpreters": packing.interpreters,
            "host": host,
            "without": sorted(set(packing.without)),
        }
        return _write(packing, far)


def _models(packing: _Packing, config: Config, planned: Plan) -> dict[str, Any]:
    """Prepare the models that are not made on the far machine; note the files of the others."""
    specs, opsets = workflow.to_prepare(packing.request.options, config, planned)
    there = [one for one in specs if packing.request.make_models and making.can_make(one)]
    for one in there:
        making.check(one, opsets)
    prepared = {
        one.name: models.prepare(one, packing.work, opsets=opsets, progress=packing.say)
        for one in specs
        if one not in there
    }
    packing.make = {"opsets": list(opsets), "specs": [asdict(one) for one in there]}
    root = packing.work.resolve()

    def seen(path: Path) -> None:
        beside = external_files(path, read_model(path)) if path.suffix == ".onnx" else ()
        for one in (path, *beside):
            packing.files[str(one.resolve().relative_to(root))] = one

    for cache in sorted((root / "caches").glob("*")):  # of earlier builds, brought home by a merge
        packing.files[f"caches/{cache.name}"] = cache
    return {
        name: wire.encode(_used(model, config, planned), root, seen)
        for name, model in prepared.items()
    }


def _used(model: PreparedModel, config: Config, planned: Plan) -> PreparedModel:
    """Return a model with those of its ONNX files that something of the plan is built from."""
    builds = [i for i in planned.items if i.phase == "build" and i.model == model.name]
    used = [typed_model(item, config, model) for item in builds]
    return replace(model, typed=tuple(typed for typed in model.typed if typed in used))


def _targets(packing: _Packing, config: Config, planned: Plan) -> None:
    """Fetch every target's wheels; one that cannot be had is packed as what it is: unavailable."""
    for name in (str(target["name"]) for target in planned.targets):
        options = packing.request.options
        spec = target_spec(name, config, options.config.parent, offline=options.offline)
        found = _target(packing, spec)
        if "unavailable" in found:
            packing.say(f"target {name} cannot be had: {found['unavailable']['message']}")
        packing.targets[name] = found
    if all("unavailable" in found for found in packing.targets.values()):
        raise BundleError("no target of this matrix can be packed; see the reasons above")


def _target(packing: _Packing, spec: TargetSpec) -> dict[str, Any]:
    if spec.provider == "container":
        message = "A bundle carries no containers."
        return {"unavailable": {"reason": "provider-not-ready", "message": message}}
    if spec.provider == "local":  # the far machine's own interpreter, with what it holds
        _suite(packing, spec, packing.request.python)
        return {"python": packing.request.python, "local": True}
    way = wheel.way(packing.uv(spec), packing.releases)
    if isinstance(way, Unavailable):
        return {"unavailable": {"reason": way.reason, "message": way.message}}
    python = _python_for(spec, way.pythons, packing.request.python)
    recipe = packing.releases.recipe(way.release, way.cuda, python)
    try:
        names = packing.fetch(spec, recipe, python)
    except BundleError as error:
        return {"unavailable": {"reason": "install-failed", "message": str(error)}}
    _suite(packing, spec, python)
    return {
        "python": python,
        "wheels": names,
        "module": way.release.module,
        "env": wheel.variables(Path(layout.PLACE), python, way.release),
        "beside": dict(way.release.beside),
    }


def _suite(packing: _Packing, spec: TargetSpec, python: str) -> None:
    """Fetch the suite's own packages for a Python, once."""
    if python not in packing.deps:
        recipe = packing.releases.suite_recipe(python)
        packing.deps[python] = packing.fetch(spec, recipe, python)


def _check_patterns(packing: _Packing) -> None:
    """A pattern that matches nothing is a mistake: the bundle would be as large as without it."""
    for pattern in packing.request.without:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in packing.without):
            raise BundleError(f"--without {pattern}: no wheel of this matrix holds such a file")


def _python_for(spec: TargetSpec, pythons: Sequence[str], far: str) -> str:
    """Return the Python of a target: the one asked for, the far machine's own, the newest."""
    if spec.python is not None:
        return ".".join(spec.python.split(".")[:2])
    return far if far in pythons else pythons[-1]


def _host(packing: _Packing) -> dict[str, Any]:
    """Fetch what the conductor itself needs on the far machine, and what makes models there."""
    python = packing.request.python
    if python not in packing.releases.suite or int(python.split(".")[1]) < 11:
        raise BundleError(f"--python-version {python}: trt-compat itself runs on 3.11 or newer")
    names = (*HOST, *(making.PACKAGES if packing.make["specs"] else ()))
    recipe = Recipe(tuple(f"{name}=={version(name)}" for name in names), {}, resolve=False)
    offline = packing.request.options.offline
    spec = TargetSpec("host", "host", "0", "wheel", "other", offline=offline)
    return {"python": python, "wheels": packing.fetch(spec, recipe, python, making.UNOPENED)}


def _interpreters(packing: _Packing) -> None:
    """Pack the interpreters asked for, and those that the far machine's own cannot stand in for."""
    asked = {".".join(one.split(".")[:2]): one for one in packing.request.interpreters}
    used = {str(one["python"]) for one in packing.targets.values() if "wheels" in one}
    for minor in sorted({*asked, *used} - ({packing.request.python} - set(asked))):
        spec = TargetSpec(f"python-{minor}", "python", minor, "wheel", "other")
        packing.say(f"packing Python {asked.get(minor, minor)}")
        folder = packing.work / "interpreters"
        packed = interpreter.pack(packing.uv(spec), asked.get(minor, minor), folder)
        name = f"interpreters/{packed.archive.name}"
        packing.files[name] = packed.archive
        packing.interpreters[minor] = {
            "version": packed.version,
            "archive": name,
            "python": packed.python,
            "sha256": sha256_of(str(packed.archive)),
        }


def _carried(config: Config) -> dict[str, Any]:
    """Return the configuration without what is of this machine only, credentials in URLs too."""
    content = config.model_dump(mode="json", by_alias=True)
    for target in content["targets"].values():
        target.update({"index": None, "find-links": []})
    content["code"] = {"paths": []}  # what was found in it stands in the plan
    return content


def _write(packing: _Packing, far: Mapping[str, Any]) -> Path:
    """Write the parts, the manifest and run.py."""
    to = packing.request.to
    for old in (*to.glob("bundle.part*"), to / "manifest.json"):
        old.unlink(missing_ok=True)
    members = [Member(name, packing.files[name]) for name in sorted(packing.files, key=_order)]
    members.append(Member("source.tar.gz", _source()))
    text = json.dumps(far, indent=1, default=list, sort_keys=True)
    members.append(Member("far.json", text.encode()))
    packing.say(f"writing {len(members)} files to {to}")
    manifest = {
        "schema": 1,
        "made_by": f"trt-compat {compat.__version__}",
        "python": packing.request.python,
        "summary": _summary(far),
        **parts.write(members, to, packing.request.part_size),
    }
    draft = to / "manifest.json.new"
    draft.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    draft.replace(to / "manifest.json")
    shutil.copy(_PACKAGE / "bundle" / "run.py", to / "run.py")
    return to


def _order(name: str) -> tuple[int, str]:
    """Place what seldom changes first: interpreters, wheels, then models."""
    kinds = ("interpreters", "wheels", "models", "golden")
    kind = name.split("/", maxsplit=1)[0]
    return kinds.index(kind) if kind in kinds else len(kinds), name


def _source() -> bytes:
    """Return this package as an archive that is the same as long as the files are."""
    raw = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in sorted(_PACKAGE.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                info = tarfile.TarInfo(f"compat/{path.relative_to(_PACKAGE)}")
                content = path.read_bytes()
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def _summary(far: Mapping[str, Any]) -> list[str]:
    """Return what a person asks of a bundle, one line each."""
    there = [str(spec["name"]) for spec in far["make"]["specs"]]
    lines = [f"{len(far['plan']['items'])} items, models: {', '.join([*far['models'], *there])}"]
    if there:
        lines.append(f"models made on the far machine: {', '.join(there)}")
    for name, target in far["targets"].items():
        lost = target.get("unavailable")
        lines.append(
            f"target {name}: "
            + (lost["message"] if lost else f"Python {target['python']}")
            + (" as found on the far machine" if "local" in target else "")
        )
    brought = [one["version"] for one in far["interpreters"].values()]
    lines.append(f"interpreters brought along: {', '.join(brought) or 'none'}")
    return [*lines, *(f"left out of its wheel: {name}" for name in far["without"])]
