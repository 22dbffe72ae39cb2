"""The text of a first ``compat.toml``, every line of which says what it is for."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Iterator, Sequence

from compat.config.schema import Config
from compat.models.profile import example
from compat.starting.onnxfiles import Model, Search
from compat.starting.proposals import Proposal, Target
from compat.starting.surroundings import Surroundings

_WIDTH = 98
_MOST_LISTED = 10
_HEAD = """\
# What `trt-compat` compares: written by `trt-compat init` from what it found here, to be edited.
# `trt-compat plan` prints every cell before anything runs, `trt-compat run` runs them,
# `trt-compat targets doctor` says what each target lacks on this machine.
# All keys: docs/configuration.md of trt-compat."""
_LIMITS = """\
# --- Limits against the fp32 outputs of ONNX Runtime ----------------------------------------------
# Start values, about three times what ResNet-50, ViT-B/16 and CLIP reach; write what your own
# application needs. A key that is absent is not judged; NaN and constant outputs always fail.

[limits]
latency = 0.05 # a candidate may be 5 % slower

[limits.accuracy]
fp32 = { cosine = 0.9999, relative-l2 = 0.002 } # cosine at least, relative L2 at most
fp16 = { cosine = 0.999, relative-l2 = 0.02 }"""
_GATE = """\
# --- Gate: what stops a release besides an upgrade that is blocked --------------------------------
# This machine has no GPU that can be used, so most cells of TensorRT cannot run on it. On the
# machine that gates your releases delete both lines: the default of each is "stop".

[gate]
inconclusive = "allow" # an upgrade that could not be judged
not-run = "allow" # an upgrade of which nothing could run"""
_NO_MODEL = """\
# No ONNX file was found here. This built-in network stands in for yours, with seeded weights.
# Yours takes two lines: source = "nets/mine.onnx", and axes where a dimension is dynamic.
[models.resnet50]
source = "builtin:resnet50"
axes = { batch = [1, 8, 16] } # [min, opt, max] of the optimization profile"""


def draft(found: Surroundings, searched: Search, proposal: Proposal) -> str:
    """Return the text; it is valid, or this raises."""
    blocks = [
        f"{_HEAD}\n{_machine(found)}\nschema = 1 # version of this format",
        "# What each model is built as. Others: tf32, bf16, int8 (Q/DQ), int8-calibrated, fp8.\n"
        'precisions = ["fp32", "fp16"]',
        _ruler("Targets: one pinned environment each")
        + "\n# An upgrade goes from the `current` target of a flavour to each of its `candidate` "
        "targets.",
        *map(_target, proposal.targets),
        *([_comment(note) for note in proposal.notes]),
        _ruler("Models"),
        *_models(searched),
        _LIMITS,
        *([] if found.has_gpu else [_GATE]),
    ]
    text = "\n\n".join(blocks) + "\n"
    Config.model_validate(tomllib.loads(text))
    return text


def _ruler(title: str) -> str:
    return f"# --- {title} ".ljust(_WIDTH + 1, "-")


def _comment(text: str) -> str:
    lines = textwrap.wrap(_one_line(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def _machine(found: Surroundings) -> str:
    if not found.has_gpu:
        return _comment(f"Found here: {found.driver.problem}.")
    gpu = found.driver.gpus[0]
    count = f"{len(found.driver.gpus)} x " if len(found.driver.gpus) > 1 else ""
    return _comment(
        f"Found here: {count}{gpu.name} ({gpu.arch}), a driver with CUDA {found.driver.cuda}."
    )


def _target(target: Target) -> str:
    """Return one target's table under the reason why it is there."""
    lines = [
        _comment(target.why),
        f"[targets.{_quoted(target.name)}]",
        f"flavour = {_quoted(target.flavour)}",
        f"version = {_quoted(target.version)} # exact: the last part counts for compatibility",
        f"role = {_quoted(target.role)}",
    ]
    lines += [
        f"{key} = {_quoted(value)}{_KEY_REMARKS.get((target.flavour, key), '')}"
        for key, value in target.keys.items()
    ]
    if "image" in target.keys:
        lines.append('# digest = "sha256:..." # pins the image: a tag may be moved')
    return "\n".join(lines)


_KEY_REMARKS = {
    ("tensorrt", "image"): " # pull it first; asked for its version before any build",
    ("tensorrt", "python"): " # the interpreter that has it, on this machine",
}


def _models(searched: Search) -> Iterator[str]:
    for model in searched.models:
        yield _model(model)
    if not searched.models:
        yield _NO_MODEL
    for what, lines in (
        ("Not taken, because they cannot be used as they are:", _refusals(searched)),
        ("Found as well; a table each adds them:", list(searched.left_out)),
    ):
        if lines:
            yield "\n".join(
                [_comment(what), *(f"#   {_one_line(line)}" for line in _shortened(lines))]
            )
    if searched.cut_short:
        yield _comment(f"There may be more: {searched.cut_short}.")


def _refusals(searched: Search) -> list[str]:
    return [reason if path in reason else f"{path}: {reason}" for path, reason in searched.refused]


def _shortened(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_LISTED
    return [*lines[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]


def _model(model: Model) -> str:
    about = model.description
    inputs = "; ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in about.inputs)
    made = f", made by {about.producer}" if about.producer else ""
    size = f"{_size(about.bytes)}, opset {about.opset}{made}"
    lines = [_comment(f"{size}. Inputs: {inputs}".replace("'", ""))]
    lines += [_comment(remark) for remark in _remarks(model)]
    table = f"models.{_key(model.name)}"
    lines += [
        f"[{table}]",
        f"source = {_quoted(model.path)} # from this folder",
        '# inputs = "inputs.npz" # default: noise; N(0, 1) for floats, 0 or 1 for integers',
    ]
    if about.axes or about.missing:
        lines += [
            "",
            f"[{table}.axes] # [min, opt, max] of the optimization profile",
            *_axes(model),
        ]
    return "\n".join(lines)


def _axes(model: Model) -> Iterator[str]:
    """Yield a line for each dynamic axis; no size follows from a name other than a batch's."""
    for axis, sizes in model.description.axes.items():
        yield f"{_key(axis)} = {list(sizes)}"
    for axis in model.description.missing:
        yield f"{_key(axis)} = {list(example(axis))} # A GUESS: write the sizes that you serve"


def _remarks(model: Model) -> Iterator[str]:
    """Yield what stands in the way of a model and is known from its file alone."""
    about = model.description
    if about.domains:
        yield (
            f"It has operators of {', '.join(about.domains)}: TensorRT needs a plugin for those, "
            "and ONNX Runtime may not know them."
        )
    total = sum(about.types.values())
    if total and about.types.get("FLOAT", 0) < total / 2:
        most = max(about.types, key=lambda name: about.types[name])
        yield (
            f"Most of its weights are {most}: no fp32 form can be made of it. Take the fp32 "
            "export, and this program makes the others."
        )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _one_line(text: str) -> str:
    """Return the text without what TOML does not allow in a comment."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def _quoted(text: str) -> str:
    """Return a TOML basic string; JSON escapes all that TOML wants escaped but DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
