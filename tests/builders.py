"""Plans and records for tests, the page demo and the benchmark: realistic, seeded, no TensorRT.

Everything made here is synthetic; nothing of it was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Json = dict[str, Any]

MODELS = ("resnet50", "vit-b16", "clip-vit-b32-image", "clip-vit-b32-text")
PRECISIONS = (("fp32", "strong"), ("fp16", "strong"), ("int8", "strong"))
POINTS = {"min": 1, "opt": 8, "max": 16}
LIMITS = {"cosine": 0.999, "relative-l2": 0.05, "top1-agreement": 0.99}


def target(name: str, role: str = "other") -> Json:
    """A target of the plan; ``rtx-1.6`` and ``ort-1.30`` get their flavour from the prefix."""
    prefix, release = name.split("-")
    flavour = {"rtx": "tensorrt_rtx", "ort": "onnxruntime", "trt": "tensorrt"}[prefix]
    version = release + (".1.120" if flavour == "tensorrt_rtx" else ".0")
    return {"name": name, "flavour": flavour, "version": version, "provider": "wheel", "role": role}


def item(
    check: str,
    model: str,
    precision: str,
    builder: str,
    runtime: str,
    point: str | None = None,
    variant: str = "plain",
) -> Json:
    """One planned item; typing is strong."""
    parts = [check, model, f"{precision}-strong", variant, builder, runtime]
    phase = {"build": "build", "rebuild": "build", "latency": "bench"}.get(check, "check")
    return {
        "id": "/".join([*parts, *([point] if point else [])]),
        "phase": phase,
        "check": check,
        "builder": builder,
        "runtime": runtime,
        "model": model,
        "precision": precision,
        "typing": "strong",
        "variant": variant,
        "point": point,
        "batch": POINTS[point] if point else None,
        "expectation": expectation(builder, runtime) if check == "load" else None,
    }


def expectation(builder: str, runtime: str) -> Json:
    """RTX engines load in their own release only; ONNX models load in every ONNX Runtime."""
    same = builder == runtime or builder.startswith("ort")
    return {
        "outcome": "must-load" if same else "must-refuse",
        "rule": "rtx-same-release" if builder.startswith("rtx") else "onnx-opset",
        "source": "https://docs.nvidia.com/deeplearning/tensorrt-rtx/engine-compatibility.html",
        "text": "Engines are not compatible between different releases.",
    }


def damaged_item(damage: str, builder: str) -> Json:
    """A check of an engine that was damaged on purpose."""
    made = item("damaged", "resnet50", "fp32", builder, builder)
    return {**made, "id": f"{made['id']}/{damage}", "damage": damage}


def cell_items(
    model: str, precision: str, builder: str, runtime: str, latency: Sequence[str] = ("opt",)
) -> Iterator[Json]:
    """All items of one cell; build and rebuild only where the builder is the runtime."""
    if builder == runtime:
        yield item("build", model, precision, builder, builder)
        yield item("rebuild", model, precision, builder, builder)
    yield item("load", model, precision, builder, runtime)
    if expectation(builder, runtime)["outcome"] == "must-refuse":
        return
    for point in POINTS:
        yield item("accuracy", model, precision, builder, runtime, point)
    for point in latency:
        yield item("latency", model, precision, builder, runtime, point)


def plan(
    items: Iterable[Json],
    targets: Sequence[Json],
    upgrades: Sequence[tuple[str, str]],
    models: Sequence[str] = MODELS,
    **changes: Any,
) -> Json:
    """A plan with the limits of the default configuration."""
    limits = {m: {p: dict(LIMITS) for p, _ in PRECISIONS} for m in models}
    for by_precision in limits.values():
        by_precision["int8"] = {"cosine": 0.98, "relative-l2": 0.2}
    return {
        "schema": 1,
        "created": "2026-11-20T12:00:00Z",
        "config": {"path": "compat.toml", "sha256": "0" * 64},
        "quick": False,
        "targets": list(targets),
        "models": [
            {"name": m, "source": "built-in", "axes": {"batch": [1, 8, 16]}, "precisions": ["fp32"]}
            for m in models
        ],
        "upgrades": [{"from": a, "to": b} for a, b in upgrades],
        "limits": {"latency": 0.05, "max-cv": {"gpu": 0.025, "host": 0.10}, "accuracy": limits},
        "gate": {"inconclusive": "stop", "not-run": "allow", "judge-latency": True},
        "items": list(items),
        **changes,
    }


def record(planned: Mapping[str, Any], status: str = "ok", **changes: Any) -> Json:
    """A record of a planned item with its own coordinates."""
    names = ("check", "phase", "builder", "runtime", "model", "precision", "typing", "variant")
    return {
        "schema": 1,
        "item": planned["id"],
        "key": f"{abs(hash(planned['id'])):064x}",
        **{n: planned[n] for n in names},
        "point": planned["point"],
        "batch": planned["batch"],
        "round": None,
        "status": status,
        "reason": "",
        "message": "",
        "numbers": {},
        "facts": {},
        "files": {"log": f"logs/{planned['check']}-{planned['builder']}.log"},
        "started": "2026-11-20T12:00:00Z",
        "seconds": 1.5,
        "target": {
            "version": "1.6.1.120",
            "python": "3.11.7",
            "platform": "Linux-6.1-x86_64-glibc2.36",
            "gpus": [],
            "driver": None,
        },
        **changes,
    }


def not_run(planned: Mapping[str, Any]) -> Json:
    """What a machine without a GPU says."""
    return record(
        planned,
        "not-run",
        reason="no-cuda-driver",
        message="No CUDA driver: libcuda.so.1 was not found.",
        seconds=0.0,
    )


def rounds_of(
    planned: Mapping[str, Any],
    seed: int,
    *,
    base: float = 0.02,
    noise: float = 0.004,
    rounds: int = 8,
    clock: str = "host",
    spread: float = 0.03,
) -> list[Json]:
    """Latency records of one item, one a round, with log-normal noise between rounds."""
    draw = np.random.default_rng(seed)
    result = []
    for number in range(1, rounds + 1):
        median = float(base * np.exp(draw.normal(0, noise)))
        numbers = {
            "median_s": median,
            "mean_s": median * 1.01,
            "std_s": median * spread,
            "p95_s": median * 1.06,
            "p99_s": median * 1.11,
            "min_s": median * 0.97,
            "n": 60,
            "throughput_per_s": (planned["batch"] or 1) / median,
            "load_s": 0.4,
            "peak_rss_bytes": 700_000_000,
        }
        result.append(
            record(planned, numbers=numbers, facts={"clock": clock}, round=number, seconds=3.0)
        )
    return result


def build_record(planned: Mapping[str, Any], seed: int) -> Json:
    """A build that worked."""
    draw = np.random.default_rng(seed)
    kinds = {
        "fp32": {"Float": 161},
        "fp16": {"Half": 158, "Float": 3},
        "int8": {"Int8": 107, "Float": 54},
    }
    size = {"fp32": 102_400_000, "fp16": 51_300_000, "int8": 26_100_000}[planned["precision"]]
    return record(
        planned,
        seconds=2.4,
        numbers={
            "parse_s": float(draw.uniform(0.05, 0.2)),
            "build_s": float(draw.uniform(0.4, 3.4)),
            "engine_bytes": int(size * draw.uniform(0.98, 1.05)),
            "layers": 161,
            "peak_rss_bytes": 900_000_000,
        },
        facts={
            "layer_types": kinds[planned["precision"]],
            "parser_messages": ["onnx2trt: INT64 weights were cast down to INT32."],
            "builder_messages": [],
            "flags": ["STRONGLY_TYPED"],
            "engine_sha256": f"{seed:064x}",
        },
        files={"engine": f"engines/{planned['model']}.engine", "log": "logs/build.log"},
    )


def accuracy_record(planned: Mapping[str, Any], seed: int, **numbers: float | None) -> Json:
    """An accuracy record that carries its metrics, close to the golden outputs unless told.

    None leaves a metric out.
    """
    draw = np.random.default_rng(seed)
    error = {"fp32": 1e-6, "fp16": 2e-3, "int8": 6e-2}[planned["precision"]] * draw.uniform(
        0.7, 1.2
    )
    carried = {
        "run_s": 0.4,
        "golden_cosine": 1 - error**2 / 2,
        "golden_relative_l2": error,
        "golden_max_abs": error * 8,
        "golden_sqnr_db": -20 * np.log10(error),
        "golden_top1_agreement": 1.0,
        "golden_top5_agreement": 1.0,
        "golden_nan": 0,
        "golden_inf": 0,
        "golden_constant": 0,
        "current_cosine": 1 - 1e-9,
        "current_relative_l2": 4e-5,
        "current_max_abs": 2e-4,
        "current_sqnr_db": 88.0,
    }
    told = (carried | numbers).items()
    return record(planned, numbers={k: float(v) for k, v in told if v is not None})


def default_run(*, troubled: bool = True) -> tuple[Json, list[Json]]:
    """Like the default run on a machine without a GPU: four RTX targets and two ONNX Runtimes.

    ``troubled`` adds a drift, a regression, a crash and a surprise to the candidate.
    """
    rtx = [target(f"rtx-1.{n}") for n in (4, 5, 6, 7)]
    ort = [target("ort-1.30", "current"), target("ort-1.31", "candidate")]
    rtx[2]["role"], rtx[3]["role"] = "current", "candidate"
    items = [
        i
        for family in (rtx, ort)
        for builder in family
        for runtime in family
        for model in MODELS
        for precision, _ in PRECISIONS
        for i in cell_items(model, precision, builder["name"], runtime["name"])
    ]
    upgrades = [("rtx-1.6", "rtx-1.7"), ("ort-1.30", "ort-1.31")]
    records = [r for n, i in enumerate(items) for r in _default_records(i, n)]
    if troubled:
        records = [_trouble(r) for r in records]
    return plan(items, [*rtx, *ort], upgrades), records


def _default_records(planned: Json, seed: int) -> list[Json]:
    if planned["check"] == "build":
        return [build_record(planned, seed)]
    if planned["check"] == "rebuild":
        differing = 0 if planned["builder"].startswith("ort") else 18_204
        numbers = {"build_s": 1.1, "identical": int(not differing), "bytes_differing": differing}
        return [record(planned, numbers=numbers)]
    if planned["builder"].startswith("rtx"):
        return [not_run(planned)]
    if planned["check"] == "load":
        return [record(planned, numbers={"load_s": 0.31})]
    if planned["check"] == "accuracy":
        return [accuracy_record(planned, seed)]
    base = {"fp32": 0.045, "fp16": 0.049, "int8": 0.021}[planned["precision"]]
    return rounds_of(planned, seed, base=base * (1 + MODELS.index(planned["model"])))


def _trouble(seen: Json) -> Json:
    name = seen["item"]
    if name == "accuracy/vit-b16/int8-strong/plain/ort-1.31/ort-1.31/max":
        seen["numbers"] |= {"golden_cosine": 0.913, "golden_relative_l2": 0.41}
        seen["numbers"] |= {"current_cosine": 0.917, "current_relative_l2": 0.39}
    elif name == "latency/resnet50/fp16-strong/plain/ort-1.31/ort-1.31/opt":
        for key in ("median_s", "mean_s", "std_s", "p95_s", "p99_s", "min_s"):
            seen["numbers"][key] *= 1.34
    elif name == "latency/vit-b16/fp32-strong/plain/ort-1.30/ort-1.31/opt":
        seen["numbers"]["std_s"] *= 6
    elif name == "load/clip-vit-b32-text/int8-strong/plain/ort-1.30/ort-1.31":
        text = "Unsupported model IR version: 11, max supported IR version: 10"
        seen |= {"status": "refused", "reason": "version-mismatch", "message": text, "numbers": {}}
    elif name.startswith("accuracy/clip-vit-b32-image/int8-strong/plain/ort-1.31/ort-1.31"):
        text = "The process died by SIGSEGV in this cell."
        seen |= {"status": "crashed", "reason": "signal-SIGSEGV", "message": text, "numbers": {}}
    elif "/clip-vit-b32-text/int8-strong/plain/ort-1.30/ort-1.31" in name:
        text = "The engine was refused at load."
        seen |= {"status": "not-run", "reason": "load-refused", "message": text, "numbers": {}}
        seen["round"] = None
    return seen
