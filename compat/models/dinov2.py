"""DINOv2 (Oquab 2023) with register tokens (Darcet 2023), names of its own repository's state dict.

LayerScale is folded into the linear layer before it, and the position table, which was trained for
images of 518 pixels, is resized once: bicubic with antialiasing, as the repository does it for
these models at run time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto
from PIL import Image

from compat.models.graph import Graph
from compat.models.transformer import BlockNames, Encoder, Width, block_parameters, norm_parameters
from compat.models.vit import VitConfig, embed_patches, first_token
from compat.models.weights import FloatArray, Param, Weights

__all__ = ["SMALL", "Dinov2Config", "build"]

_PATCH = "patch_embed.proj"
_NAMES = BlockNames(
    query="blocks.{i}.attn.query",
    key="blocks.{i}.attn.key",
    value="blocks.{i}.attn.value",
    out="blocks.{i}.attn.proj",
    norm1="blocks.{i}.norm1",
    norm2="blocks.{i}.norm2",
    up="blocks.{i}.mlp.fc1",
    down="blocks.{i}.mlp.fc2",
)
_JOINED = ("query", "key", "value")
_SCALES = {"attn.proj": "ls1.gamma", "mlp.fc2": "ls2.gamma"}


@dataclass(frozen=True, slots=True)
class Dinov2Config:
    """Sizes: `grid` patches along a side of the images that it was trained on."""

    image: int
    patch: int
    grid: int
    registers: int
    width: Width

    @property
    def vit(self) -> VitConfig:
        """The same without registers, and without a classifier."""
        return VitConfig(self.image, self.patch, 0, self.width)


SMALL = Dinov2Config(224, 14, 37, 4, Width(384, 12, 6, 1536, 1e-6, "gelu"))


def build(config: Dinov2Config, weights: Weights, opset: int) -> onnx.ModelProto:
    """pixel_values [batch, 3, H, W] to features [batch, 2 dim]: class token and mean patch."""
    graph, vit = Graph("dinov2", opset), config.vit
    tokens = vit.tokens + config.registers
    encoder = Encoder(graph, _Fitted(weights, config), _table(config), config.width, tokens)
    shape = ("batch", 3, config.image, config.image)
    pixels = graph.input("pixel_values", shape, TensorProto.FLOAT)
    x = embed_patches(graph, encoder, pixels, vit, _PATCH, "cls_token")
    position = graph.constant("position", encoder.get("pos_embed"))
    x = graph.node("Add", [x, position], "add_position")
    x = encoder.blocks(x, _NAMES, "blocks")
    x = encoder.norm(x, "norm")
    span = [graph.ints(1 + config.registers), graph.ints(tokens), graph.ints(1)]
    patches = graph.node("Slice", [x, *span], "patches.take")
    mean = graph.node("ReduceMean", [patches], "patches.mean", axes=[1], keepdims=0)
    x = graph.node("Concat", [first_token(graph, x), mean], "features.join", axis=1)
    graph.output(x, "features", ("batch", 2 * config.width.dim))
    return graph.finish()


def _table(config: Dinov2Config) -> dict[str, Param]:
    dim, patch = config.width.dim, config.patch
    return {
        "cls_token": Param((1, 1 + config.registers, dim)),
        "pos_embed": Param((1, config.vit.tokens + config.registers, dim)),
        f"{_PATCH}.weight": Param((dim, 3, patch, patch)),
        f"{_PATCH}.bias": Param((dim,)),
        **block_parameters(_NAMES, config.width),
        **norm_parameters("norm", dim),
    }


class _Fitted:
    """The state dict's arrays in the form that the shared encoder takes."""

    def __init__(self, weights: Weights, config: Dinov2Config) -> None:
        self._weights = weights
        self._config = config

    def get(self, name: str, param: Param) -> FloatArray:
        """The array; ModelError where it is missing or has another shape."""
        if name == "cls_token":
            return np.concatenate([self._own(name, 1), self._registers()], axis=1)
        if name == "pos_embed":
            return self._positions()
        layer, _, kind = name.rpartition(".")
        block, _, part = layer.rpartition(".")
        if part in _JOINED:
            rows = param.shape[0]
            joined = self._weights.get(f"{block}.qkv.{kind}", _tripled(param))
            start = _JOINED.index(part) * rows
            return np.ascontiguousarray(joined[start : start + rows])
        values = self._weights.get(name, param)
        for end, scale in _SCALES.items():
            if layer.endswith(end):
                gamma = self._weights.get(layer.removesuffix(end) + scale, Param(param.shape[:1]))
                values = values * gamma.reshape(-1, *[1] * (values.ndim - 1))
        return values

    def _own(self, name: str, tokens: int) -> FloatArray:
        return self._weights.get(name, Param((1, tokens, self._config.width.dim)))

    def _registers(self) -> FloatArray:
        return self._own("register_tokens", self._config.registers)

    def _positions(self) -> FloatArray:
        """One row per token; registers have no position."""
        config, dim = self._config, self._config.width.dim
        trained = self._own("pos_embed", 1 + config.grid**2)[0]
        edge = config.image // config.patch
        planes = trained[1:].reshape(config.grid, config.grid, dim)
        resized = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(planes[:, :, channel])).resize(
                    (edge, edge), Image.Resampling.BICUBIC
                )
            )
            for channel in range(dim)
        ]
        grid = np.stack(resized, axis=-1).reshape(edge**2, dim)
        none = np.zeros((config.registers, dim))
        return np.concatenate([trained[:1], none, grid])[None].astype(np.float32)


def _tripled(param: Param) -> Param:
    return Param((3 * param.shape[0], *param.shape[1:]))
