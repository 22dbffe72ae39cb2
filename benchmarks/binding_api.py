"""Both of the suite's ways to run an engine, on one engine: same bytes out, and what each takes.

``python binding_api.py ENGINE FEEDS.npz [--path FOLDER]`` runs inside a target environment with
TensorRT 8.5 or 8.6, which still have the binding-index API beside the name-based one. `--path`
names folders that hold numpy and, where this file was carried alone, the package `compat`.
Prints one JSON line; exit code 1 if the outputs differ by a single bit or are not finite.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

LAUNCHES = 200
BLOCKS = 4


def main(argv: list[str]) -> int:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description="name-based and binding-index API side by side")
    parser.add_argument("engine")
    parser.add_argument("feeds", help=".npz, one array per input")
    parser.add_argument("--path", action="append", default=[], help="a folder for sys.path")
    asked = parser.parse_args(argv)
    beside = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.extend([*asked.path, beside])
    found = compare(asked.engine, asked.feeds)
    print(json.dumps(found))
    return 0 if found["bit_equal"] and found["finite"] else 1


def compare(engine: str, feeds: str) -> dict[str, object]:
    """Return outputs and medians of both; the launches are measured in turns."""
    import numpy as np  # noqa: PLC0415  # these lie in the folders of the command line
    import tensorrt as trt  # noqa: PLC0415

    from compat.suite.adapters.trt_bindings import BindingsEngine  # noqa: PLC0415
    from compat.suite.adapters.trt_engine import PlanEngine  # noqa: PLC0415
    from compat.suite.cuda import Cuda  # noqa: PLC0415

    cuda, runtime = Cuda(), trt.Runtime(trt.Logger(trt.Logger.ERROR))
    with open(engine, "rb") as stream:
        data = stream.read()
    with np.load(feeds) as archive:
        arrays = {name: archive[name] for name in archive.files}
    ways = {
        "names": PlanEngine(trt, cuda, runtime.deserialize_cuda_engine(data)),
        "bindings": BindingsEngine(trt, cuda, runtime.deserialize_cuda_engine(data)),
    }
    outputs = {name: way.run(arrays) for name, way in ways.items()}
    launches = {name: way.bind(arrays) for name, way in ways.items()}
    clocks = {name: way.timer() for name, way in ways.items()}
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for block in range(BLOCKS + 1):  # the first one warms up
        for name, launch in launches.items():
            taken = []
            for _ in range(LAUNCHES // BLOCKS):
                before = clocks[name]()
                launch()
                taken.append(clocks[name]() - before)
            samples[name] += taken if block else []
    pairs = [(outputs["names"][name], outputs["bindings"][name]) for name in outputs["names"]]
    return {
        "tensorrt": trt.__version__,
        "outputs": {name: list(array.shape) for name, array in outputs["names"].items()},
        "bit_equal": all(a.tobytes() == b.tobytes() for a, b in pairs),
        "finite": all(bool(np.isfinite(a).all()) for a, _ in pairs),
        "launches": {name: len(taken) for name, taken in samples.items()},
        "median_ms": {name: 1e3 * float(np.median(taken)) for name, taken in samples.items()},
        "graph": {name: way.facts()["cuda_graph"] for name, way in ways.items()},
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
