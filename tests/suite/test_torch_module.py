"""PyTorch as a target, on this CPU; skipped where PyTorch and its model libraries are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from compat.models import ModelSpec, golden, prepare, resnet
from compat.models.weights import SeededWeights
from compat.suite.adapters.base import Engine, Request
from compat.suite.outcome import Refused, Unsupported

for _name in ("torch", "torchvision", "transformers"):
    pytest.importorskip(_name, reason=f"{_name} is not installed; PyTorch is a target's, not ours")

from compat.suite.adapters.torch_module import PyTorchAdapter  # noqa: E402

# What PyTorch's own packages warn of is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

BUILTINS = ("resnet50", "vit-b16", "clip-vit-b32-image", "clip-vit-b32-text")


def _silent(_line: str) -> None:
    return None


def _engine(onnx_file: Path, folder: Path, precision: str, variant: str = "plain") -> Engine:
    adapter = PyTorchAdapter()
    request = Request(str(onnx_file), precision, "strong", variant, {})
    path = folder / f"{precision}-{variant}.engine"
    path.write_bytes(adapter.build(request, _silent).data)
    return adapter.load(str(path), _silent)[0]


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-5), ("fp16", 1e-2), ("bf16", 5e-2)])
@pytest.mark.parametrize("name", BUILTINS)
def test_a_librarys_module_gives_the_golden_outputs(
    tmp_path: Path, name: str, precision: str, limit: float
) -> None:
    """The weights of the ONNX stand in the right places of torchvision's and transformers' code."""
    spec = ModelSpec(name=name, source=f"builtin:{name}", size="quick", axes={"batch": (1, 2, 4)})
    ready = prepare(spec, tmp_path)
    engine = _engine(ready.typed[0].path or Path(), tmp_path, precision)

    for point in ("min", "max"):
        with np.load(ready.feeds[point]) as feeds, np.load(ready.golden[point]) as wanted:
            found = engine.run(dict(feeds))
            assert list(found) == [tensor.name for tensor in ready.outputs]
            assert all(_distance(found[key], wanted[key]) < limit for key in found)


def test_the_first_form_of_resnet_runs_with_its_own_strides(tmp_path: Path) -> None:
    """`builtin:resnet50-imagenet` has the stride on a block's first convolution."""
    config = resnet.ResNetConfig(64, (1, 2, 1, 1), 16, 10, stride_on_first=True)
    path = tmp_path / "v1.onnx"
    onnx.save(resnet.build(config, SeededWeights(3), 17), path)
    feeds = {"pixel_values": np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype("f4")}

    wanted = golden.run(path, "v1", feeds)["logits"]

    assert _distance(_engine(path, tmp_path, "fp32").run(feeds)["logits"], wanted) < 1e-5


def test_a_compiled_module_says_how_long_that_took(tmp_path: Path) -> None:
    """The first run compiles; the benchmark's runs come after it."""
    spec = ModelSpec(name="vit", source="builtin:vit-b16", size="quick", axes={"batch": (1, 1, 1)})
    ready = prepare(spec, tmp_path)
    engine = _engine(ready.typed[0].path or Path(), tmp_path, "fp32", "compiled")
    with np.load(ready.feeds["min"]) as feeds, np.load(ready.golden["min"]) as wanted:
        engine.bind(dict(feeds))()
        facts = engine.facts()

        assert _distance(engine.run(dict(feeds))["logits"], wanted["logits"]) < 1e-5
    assert facts["compiled"] is True
    assert facts["compile_s"] > 0
    assert facts["attention"] == "sdpa"


def test_what_pytorch_does_not_have_is_unsupported(tmp_path: Path) -> None:
    request = Request("any.onnx", "int8", "strong", "plain", {})
    with pytest.raises(Unsupported, match="quantizes"):
        PyTorchAdapter().build(request, _silent)


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    """Read as data: a pickle that holds code is refused, too."""
    path = tmp_path / "broken.engine"
    path.write_bytes(b"not a state dict")
    with pytest.raises(Refused) as caught:
        PyTorchAdapter().load(str(path), _silent)
    assert caught.value.reason == "not-an-engine"
