"""``trt-compat bundle create``: everything that a machine without a network needs, in parts."""

from __future__ import annotations

import fnmatch
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import compat
from compat import models, workflow
from compat.bundle import compress, content, interpreter, layout, making, parts, thin, wheels, wire
from compat.bundle.parts import BundleError, Member, Progress
from compat.bundle.run import sha256_of
from compat.bundle.stored import StoredWheel
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
# Of zstandard: the form for PyPy, half of the wheel.
_UNOPENED = ("zstandard/_cffi*", "zstandard/backend_cffi*", "zstandard/*.pyi")
_PACKAGE = Path(compat.__file__).parent
_FETCH_LIMIT_S = 3600.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to pack.

    python: the far machine's own; interpreters: versions to bring along.
    without: patterns of files to leave out of wheels.
    make_models: have the far machine make the models that need no file of this one.
    compressed: by zstd, with the decoder at the beginning.
    """

    options: Options
    to: Path
    part_size: int
    python: str = "3.12"
    interpreters: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    make_models: bool = False
    compressed: bool = True


@dataclass(slots=True)
class _Packing:
    """The bundle as it comes together: files by their far name, and ``far.json``."""

    request: Request
    releases: Catalogue
    say: Say
    files: dict[str, Path | StoredWheel] = field(default_factory=dict)
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
            self.files[name], left = self._without(path, (*asked, *unopened), folder / "thin")
            self.without += [one for one in left if any(fnmatch.fnmatchcase(one, p) for p in asked)]
            names.append(name)
        return names

    def _without(
        self, wheel: Path, patterns: Sequence[str], folder: Path
    ) -> tuple[Path | StoredWheel, list[str]]:
        """Return a wheel as it travels, and the places of the files that were left out of it."""
        if not self.request.compressed:
            return thin.thinned(wheel, patterns, folder)
        left = thin.matching(wheel, patterns)
        return StoredWheel(wheel, frozenset(left)), list(left.values())


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
        if request.compressed:
            _decoder(packing)
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


def _decoder(packing: _Packing) -> None:
    """Pack what the far machine decompresses with: the wheel of zstandard, and a filter around it.

    In the uncompressed beginning, not beside run.py: it is verified with the parts, and a channel
    that takes small files only takes it, too.
    """
    python = packing.request.python
    recipe = Recipe((f"zstandard=={version('zstandard')}",), {}, resolve=False)
    offline = packing.request.options.offline
    spec = TargetSpec("zstd", "zstandard", "0", "wheel", "other", offline=offline)
    folder = packing.work / "wheels" / f"py{python}"
    try:
        (wheel,) = wheels.fetch(packing.uv(spec), recipe, python, folder)
    except BundleError as error:
        raise BundleError(f"{error}; --compress none needs no decoder") from None
    packing.files[f"decoder/{wheel.name}"] = thin.thinned(wheel, _UNOPENED, folder / "thin")[0]
    packing.files["decoder/unzstd.py"] = _PACKAGE / "bundle" / "unzstd.py"


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
    carried = config.model_dump(mode="json", by_alias=True)
    for target in carried["targets"].values():
        target.update({"index": None, "find-links": []})
    carried["code"] = {"paths": []}  # what was found in it stands in the plan
    return carried


def _write(packing: _Packing, far: Mapping[str, Any]) -> Path:
    """Write the parts, the manifest and run.py."""
    to = packing.request.to
    for old in (to / "manifest.json", *to.glob("bundle.part*")):
        old.unlink(missing_ok=True)
    members = [
        Member(name, packing.files[name]) for name in sorted(packing.files, key=content.order)
    ]
    text = json.dumps(far, indent=1, default=list, sort_keys=True)
    last = [Member("source.tar.gz", content.source()), Member("far.json", text.encode())]
    packing.say(f"writing {len(members) + len(last)} files to {to}")
    progress = Progress(sum(one.size for one in (*members, *last)), packing.say)
    if packing.request.compressed:
        written = _compressed(packing, members, last, progress)
    else:
        written = parts.write([*members, *last], to, packing.request.part_size, progress)
    manifest = {
        "schema": 1,
        "made_by": f"trt-compat {compat.__version__}",
        "python": packing.request.python,
        "summary": content.summary(far),
        **written,
    }
    draft = to / "manifest.json.new"
    draft.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    draft.replace(to / "manifest.json")
    shutil.copy(_PACKAGE / "bundle" / "run.py", to / "run.py")
    return to


def _compressed(
    packing: _Packing, members: Sequence[Member], last: Sequence[Member], progress: Progress
) -> dict[str, Any]:
    """Write the parts compressed; wheels, models and what changes daily each on their own."""
    plain = [one for one in members if one.name.startswith(content.PLAIN)]
    fetched = [one for one in members if one.name.startswith("wheels/")]
    made = [one for one in members if one not in (*plain, *fetched)]
    groups = [group for group in (fetched, made, last) if group]
    request = packing.request
    written = compress.write(plain, groups, request.to, request.part_size, progress)
    written["zstd"] |= {
        "decoder": next(one.name for one in plain if one.name.endswith(".whl")),
        "interpreter": packing.interpreters.get(request.python),
    }
    return written
