"""One model made ready: fp32 ONNX, typed ONNX, feeds and reference outputs, each cached."""

from __future__ import annotations

import platform
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np

from compat.models import coverage, golden, int8, typed
from compat.models.cache import Entry, Facts, artifact, file_sha256, key_of, write_json
from compat.models.errors import ModelError
from compat.models.inputs import Feed, InputSource, input_source, load_npz
from compat.models.labelled import Images, Split, read_labelled, thinned
from compat.models.profile import batch_sizes, points_of, resolve_axes
from compat.models.source import SEED, Source, resolve, tensors_from
from compat.models.spec import Axes, ModelSpec, PreparedModel, TensorInfo, TypedModel

__all__ = ["prepare"]

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "onnxconverter-common", "Pillow", "scikit-image")

Progress = Callable[[str], None]


def _silent(_message: str) -> None:
    return None


def prepare(
    spec: ModelSpec, work: Path, *, opsets: Sequence[int] = (17,), progress: Progress = _silent
) -> PreparedModel:
    """Make what is missing under work/models and work/golden; raise ModelError on bad input.

    An unchanged second call reads a few small JSON files and no weights.
    """
    return _Preparation(spec, work, progress).run(opsets)


class _Preparation:
    def __init__(self, spec: ModelSpec, work: Path, progress: Progress) -> None:
        self._spec = spec
        self._progress = progress
        self._source: Source = resolve(spec, work / "models")
        self._key = key_of(self._source.key)
        folder = f"{_file_name(spec.name)}-{self._key[:12]}"
        self._models = work / "models" / folder
        self._golden = work / "golden" / folder
        self._made = False

    def run(self, opsets: Sequence[int]) -> PreparedModel:
        spec, source = self._spec, self._source
        float32 = {opset: self._float32(opset) for opset in source.opsets(opsets)}
        first = next(iter(float32.values()))
        inputs = tensors_from(first.facts["inputs"])
        axes = resolve_axes(spec.name, inputs, spec.axes)
        points = points_of(axes)
        feeding = self._inputs(spec.inputs or source.inputs, inputs)
        words = spec.calibration or spec.inputs or source.calibration or source.inputs
        calibrating = self._inputs(words, inputs)
        batch = batch_sizes(inputs, points)
        feeds = self._feeds(feeding, points)
        references = {point: self._reference(first, point, feed) for point, feed in feeds.items()}
        if (labelled := self._labelled(inputs)) is not None:
            feeds["top1"] = labelled
            references["top1"] = self._predictions(first, labelled, batch)
        models = self._typed(float32, calibrating, points)
        covered: dict[str, Any] = {}
        if (calibration := self._calibration(calibrating, feeds["max"], points)) is not None:
            feeds["calibration"] = calibration
            covered = self._covered(calibration)
        self._manifest(feeding, calibrating, axes, models, covered)
        return PreparedModel(
            name=spec.name,
            digest=first.sha256,
            inputs=inputs,
            outputs=tensors_from(first.facts["outputs"]),
            axes=axes,
            points=points,
            batch=batch,
            typed=models,
            feeds={point: entry.path for point, entry in feeds.items()},
            golden={point: entry.path for point, entry in references.items()},
            golden_runtime=golden.golden_runtime(),
            cached=not self._made,
            calibration_coverage=covered,
        )

    def _say(self, text: str) -> None:
        self._progress(f"{self._spec.name}: {text}")

    def _keep(self, path: Path, key: str, text: str, make: Callable[[Path], Facts]) -> Entry:
        def make_aloud(target: Path) -> Facts:
            self._say(text)
            return make(target)

        entry = artifact(path, key, make_aloud)
        self._made |= entry.made
        return entry

    def _float32(self, opset: int) -> Entry:
        return self._keep(
            self._models / f"opset{opset}-fp32.onnx",
            key_of(self._key, opset),
            f"writing the fp32 ONNX, opset {opset}",
            lambda target: self._source.write(target, opset),
        )

    def _feeds(
        self, source: InputSource, points: Mapping[str, Mapping[str, int]]
    ) -> dict[str, Entry]:
        key = key_of(self._key, source.identity, source.recipe, _version("numpy", "Pillow"))
        return {point: self._feed(source, key, point, sizes) for point, sizes in points.items()}

    def _feed(self, source: InputSource, key: str, point: str, sizes: Mapping[str, int]) -> Entry:
        key = key_of(key, sizes)
        return self._keep(
            self._golden / f"feeds-{point}-{key[:8]}.npz",
            key,
            f"inputs at {_sizes(sizes)}",
            lambda target: _save_npz(target, source.feed(sizes)),
        )

    def _reference(self, model: Entry, point: str, feed: Entry) -> Entry:
        key = key_of(model.sha256, feed.sha256, _version("onnxruntime"))
        return self._keep(
            self._golden / f"golden-{point}-{key[:8]}.npz",
            key,
            f"reference outputs at {point} by {golden.golden_runtime()}",
            lambda target: _save_npz(
                target, golden.run(model.path, self._spec.name, _load_npz(feed.path))
            ),
        )

    def _inputs(self, words: str, tensors: tuple[TensorInfo, ...]) -> InputSource:
        """The inputs that a word or path means; a trained built-in has sets of its own."""
        split: Split | None = next((s for s in get_args(Split) if s == words), None)
        images = self._source.images(split) if split is not None else None
        if split is None or images is None:
            return input_source(self._spec.name, words, tensors, self._source.recipe)
        entry = self._set(split, images)
        return InputSource("npz", entry.sha256, images.text, tensors, None, (entry.path,))

    def _set(self, split: Split, images: Images) -> Entry:
        return self._keep(
            self._models / f"images-{split}-{images.key[:8]}.npz",
            images.key,
            f"reading {images.text}",
            lambda target: _save_npz(target, images.read()),
        )

    def _labelled(self, tensors: tuple[TensorInfo, ...]) -> Entry | None:
        """The labelled set that the check runs on, cut to what was asked for."""
        spec = self._spec
        if not spec.labels:
            return None
        if spec.labels != "builtin":
            source = Path(spec.labels)
            whole = read_labelled(spec.name, source, tensors)
            key = key_of(file_sha256(source), [t.name for t in tensors], spec.labels_limit)
        else:
            images = self._source.images("labelled")
            if images is None:
                raise ModelError(
                    "no-labels",
                    f"model {spec.name!r}: {spec.source!r} has no labelled images of its own; "
                    "give an .npz as `labels`.",
                )
            entry = self._set("labelled", images)
            if spec.labels_limit is None:
                return entry
            whole, key = load_npz(entry.path), key_of(entry.sha256, spec.labels_limit)
        return self._keep(
            self._golden / f"labelled-{key[:8]}.npz",
            key,
            "labelled items for the check",
            lambda target: _save_npz(target, thinned(whole, spec.labels_limit)),
        )

    def _predictions(self, model: Entry, labelled: Entry, batch: Mapping[str, int]) -> Entry:
        key = key_of(model.sha256, labelled.sha256, _version("onnxruntime"))
        name, largest = self._spec.name, batch["max"]
        return self._keep(
            self._golden / f"golden-top1-{key[:8]}.npz",
            key,
            f"reference predictions of the labelled items by {golden.golden_runtime()}",
            lambda target: _save_npz(
                target,
                golden.classify(model.path, name, load_npz(labelled.path), batch["min"], largest),
            ),
        )

    def _calibration(
        self,
        source: InputSource,
        evaluated: Entry,
        points: Mapping[str, Mapping[str, int]],
    ) -> Entry | None:
        """The calibration inputs as one file, and how far they cover the evaluated ones."""
        if not self._spec.calibrated and "int8" not in self._spec.precisions:
            return None
        own = key_of(source.identity, source.recipe, points["opt"], int8.CALIBRATION_ITEMS)
        key = key_of(own, evaluated.sha256)

        def make(target: Path) -> Facts:
            feeds = source.calibration(points["opt"], source.items(int8.CALIBRATION_ITEMS))
            covered = coverage.compare(feeds, [_load_npz(evaluated.path)])
            joined = {n: np.concatenate([np.atleast_1d(f[n]) for f in feeds]) for n in feeds[0]}
            return {**_save_npz(target, joined), "coverage": covered}

        # Named by what is in it: a builder's calibration table is found by this name, and holds
        # whatever the evaluated inputs are.
        path = self._golden / f"calibration-{own[:8]}.npz"
        return self._keep(path, key, f"calibration inputs: {source.text}", make)

    def _covered(self, calibration: Entry) -> dict[str, Any]:
        """Warn each time, not only when it was found first."""
        found: dict[str, Any] = calibration.facts["coverage"]
        for problem in coverage.problems(found):
            self._say(f"warning: {problem}")
        return found

    def _typed(
        self,
        float32: Mapping[int, Entry],
        calibrating: InputSource,
        points: Mapping[str, Mapping[str, int]],
    ) -> tuple[TypedModel, ...]:
        feeds: list[Feed] = []

        def calibration() -> list[Feed]:
            if not feeds:
                items = calibrating.items(int8.CALIBRATION_ITEMS)
                feeds.extend(calibrating.calibration(points["opt"], items))
            return feeds

        job = typed.Job(
            self._models,
            self._keep,
            self._spec.fp32_nodes,
            self._spec.low_precision_nodes,
            calibration,
            key_of(calibrating.identity, calibrating.recipe, points["opt"]),
            lambda: self._say("failed"),
        )
        made = []
        for opset, source in float32.items():
            listed = typed.listed(job, source)
            for precision in self._spec.precisions:
                made.append(replace(typed.make(job, precision, opset, source), listed=listed))
        return tuple(made)

    def _manifest(
        self,
        feeding: InputSource,
        calibrating: InputSource,
        axes: Axes,
        models: Sequence[TypedModel],
        covered: Mapping[str, Any],
    ) -> None:
        """What a person needs to repeat this preparation; never read back."""
        path = self._models / "manifest.json"
        if not self._made and path.is_file():
            return
        write_json(
            path,
            {
                "model": self._spec.name,
                "source": self._spec.source,
                "what": self._source.text,
                "seed": SEED,
                "axes": {axis: list(sizes) for axis, sizes in axes.items()},
                "inputs": feeding.text,
                "calibration": {**_calibrated(calibrating), "coverage": covered},
                "golden": golden.golden_runtime(),
                "typed": [
                    {
                        "precision": m.precision,
                        "opset": m.opset,
                        "file": m.path and m.path.name,
                        "status": m.status,
                        "types": dict(m.types),
                        "kept_fp32": list(m.kept_fp32),
                    }
                    for m in models
                ],
                "libraries": {name: version(name) for name in _LIBRARIES},
                "python": platform.python_version(),
            },
        )


def _calibrated(source: InputSource) -> dict[str, object]:
    return {
        "set": source.text,
        "items": source.items(int8.CALIBRATION_ITEMS),
        "method": int8.METHOD,
        "seeded": "crops and mirrors by seed 1, 2, ... per batch",
    }


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name) or "model"


def _version(*names: str) -> str:
    return " ".join(f"{name} {version(name)}" for name in names)


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{axis} {size}" for axis, size in sizes.items()) or "their fixed shape"


def _save_npz(target: Path, arrays: Feed) -> Facts:
    """Write an .npz; np.savez would lose a tensor that has the name of one of its parameters."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)
    return {"arrays": {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()}}


def _load_npz(path: Path) -> Feed:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
