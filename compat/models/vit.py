"""ViT-B/16 (Dosovitskiy 2020), parameter names of transformers' ViTForImageClassification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from compat.models.graph import Graph
from compat.models.transformer import (
    BlockNames,
    Encoder,
    Width,
    block_parameters,
    norm_parameters,
)
from compat.models.weights import Param, Weights

__all__ = ["VitConfig", "build", "embed_patches", "first_token", "parameters"]

_EMBED = "vit.embeddings"
_PATCH = f"{_EMBED}.patch_embeddings.projection"
_LAYER = "vit.encoder.layer.{i}"
_NAMES = BlockNames(
    query=f"{_LAYER}.attention.attention.query",
    key=f"{_LAYER}.attention.attention.key",
    value=f"{_LAYER}.attention.attention.value",
    out=f"{_LAYER}.attention.output.dense",
    norm1=f"{_LAYER}.layernorm_before",
    norm2=f"{_LAYER}.layernorm_after",
    up=f"{_LAYER}.intermediate.dense",
    down=f"{_LAYER}.output.dense",
)


@dataclass(frozen=True, slots=True)
class VitConfig:
    """Sizes; `head_draw` is the draw of the classifier."""

    image: int
    patch: int
    classes: int
    width: Width
    head_draw: int = 0

    @property
    def tokens(self) -> int:
        """Patches and the class token."""
        return (self.image // self.patch) ** 2 + 1


def parameters(config: VitConfig) -> dict[str, Param]:
    """Arrays of the classifier: 86,567,656 numbers at full size."""
    dim, patch = config.width.dim, config.patch
    table = {
        f"{_EMBED}.cls_token": Param((1, 1, dim), 0.02),
        f"{_EMBED}.position_embeddings": Param((1, config.tokens, dim), 0.02),
        f"{_PATCH}.weight": Param((dim, 3, patch, patch), (3 * patch**2) ** -0.5, centered=True),
        f"{_PATCH}.bias": Param((dim,), 0.02),
    }
    table |= block_parameters(_NAMES, config.width)
    table |= norm_parameters("vit.layernorm", dim)
    head = Param((config.classes, dim), dim**-0.5, draw=config.head_draw)
    return table | {"classifier.weight": head, "classifier.bias": Param((config.classes,), 0.02)}


def build(config: VitConfig, weights: Weights, opset: int) -> onnx.ModelProto:
    """pixel_values [batch, 3, H, W] to logits [batch, classes]."""
    graph, table = Graph("vit-b16", opset), parameters(config)
    encoder = Encoder(graph, weights, table, config.width, config.tokens)
    image = ("batch", 3, config.image, config.image)
    pixels = graph.input("pixel_values", image, TensorProto.FLOAT)
    x = embed_patches(graph, encoder, pixels, config, _PATCH, f"{_EMBED}.cls_token")
    position = graph.constant("position", encoder.get(f"{_EMBED}.position_embeddings"))
    x = graph.node("Add", [x, position], "add_position")
    x = encoder.blocks(x, _NAMES, "vit.encoder.layer")
    x = encoder.norm(x, "vit.layernorm")
    x = first_token(graph, x)
    weight = graph.constant("classifier.weight", encoder.get("classifier.weight"))
    bias = graph.constant("classifier.bias", encoder.get("classifier.bias"))
    x = graph.node("Gemm", [x, weight, bias], "classifier", transB=1)
    graph.output(x, "logits", ("batch", config.classes))
    return graph.finish()


def embed_patches(
    graph: Graph, encoder: Encoder, pixels: str, config: VitConfig, patch: str, class_token: str
) -> str:
    """Cut [batch, 3, image, image] into patch tokens and put the class token in front.

    More tokens than one may go there: registers.
    """
    dim = config.width.dim
    inputs = [pixels, graph.constant(f"{patch}.weight", encoder.get(f"{patch}.weight"))]
    if encoder.has(f"{patch}.bias"):
        inputs.append(graph.constant(f"{patch}.bias", encoder.get(f"{patch}.bias")))
    size = [config.patch] * 2
    x = graph.node("Conv", inputs, patch, kernel_shape=size, strides=size)
    x = graph.node("Reshape", [x, graph.ints(0, dim, config.tokens - 1)], "patches.flatten")
    x = graph.node("Transpose", [x], "patches.transpose", perm=[0, 2, 1])
    front = encoder.get(class_token).reshape(1, -1, dim)
    token = graph.constant("class_token", front)
    shape = graph.node(
        "Concat",
        [graph.batch_size(pixels), graph.ints(front.shape[1], dim)],
        "class_token.shape",
        axis=0,
    )
    token = graph.node("Expand", [token, shape], "class_token.expand")
    return graph.node("Concat", [token, x], "tokens", axis=1)


def first_token(graph: Graph, x: str) -> str:
    """The class token, [batch, dim]."""
    index = graph.constant("class_token.index", np.array(0, np.int64))
    return graph.node("Gather", [x, index], "class_token.take", axis=1)
