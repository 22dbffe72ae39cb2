"""The two towers of CLIP ViT-B/32 (Radford 2021), parameter names of transformers' CLIPModel.

Both end in the projection to the shared space. Outputs are not L2-normalised: a caller who wants
cosine scores divides by the norm, and a drift in length stays visible here.
"""

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
    linear_parameters,
    norm_parameters,
)
from compat.models.vit import VitConfig, embed_patches, first_token
from compat.models.weights import Param, Weights

__all__ = [
    "TextConfig",
    "VisionConfig",
    "build_text",
    "build_vision",
    "text_parameters",
    "vision_parameters",
]

_VISION = "vision_model.embeddings"
_TEXT = "text_model.embeddings"
# exp(-1e4) is 0 in every float type, and 1e4 is finite in fp16, where -inf turns into NaN as soon
# as a runtime subtracts it from itself.
_MASKED = -1e4


def _names(tower: str) -> BlockNames:
    layer = f"{tower}.encoder.layers.{{i}}"
    return BlockNames(
        query=f"{layer}.self_attn.q_proj",
        key=f"{layer}.self_attn.k_proj",
        value=f"{layer}.self_attn.v_proj",
        out=f"{layer}.self_attn.out_proj",
        norm1=f"{layer}.layer_norm1",
        norm2=f"{layer}.layer_norm2",
        up=f"{layer}.mlp.fc1",
        down=f"{layer}.mlp.fc2",
    )


@dataclass(frozen=True, slots=True)
class VisionConfig(VitConfig):
    """`classes` is the width of the shared space."""


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Sizes of the text tower; `projection` is the width of the shared space."""

    vocabulary: int
    tokens: int
    projection: int
    width: Width


def vision_parameters(config: VisionConfig) -> dict[str, Param]:
    """Arrays of the image tower with its projection: 87,849,216 numbers at full size."""
    dim, patch = config.width.dim, config.patch
    fan_in = 3 * patch**2
    table = {
        f"{_VISION}.class_embedding": Param((dim,), 0.02),
        f"{_VISION}.patch_embedding.weight": Param(
            (dim, 3, patch, patch), fan_in**-0.5, centered=True
        ),
        f"{_VISION}.position_embedding.weight": Param((config.tokens, dim), 0.02),
    }
    table |= norm_parameters("vision_model.pre_layrnorm", dim)  # the published file's spelling
    table |= block_parameters(_names("vision_model"), config.width)
    table |= norm_parameters("vision_model.post_layernorm", dim)
    return table | linear_parameters("visual_projection", config.classes, dim, bias=False)


def text_parameters(config: TextConfig) -> dict[str, Param]:
    """Arrays of the text tower with its projection: 63,428,096 numbers at full size."""
    dim = config.width.dim
    table = {
        f"{_TEXT}.token_embedding.weight": Param((config.vocabulary, dim), 0.05),
        f"{_TEXT}.position_embedding.weight": Param((config.tokens, dim), 0.02),
    }
    table |= block_parameters(_names("text_model"), config.width)
    table |= norm_parameters("text_model.final_layer_norm", dim)
    return table | linear_parameters("text_projection", config.projection, dim, bias=False)


def build_vision(config: VisionConfig, weights: Weights, opset: int) -> onnx.ModelProto:
    """pixel_values [batch, 3, H, W] to image_embeds [batch, 512]."""
    graph, table = Graph("clip-vit-b32-image", opset), vision_parameters(config)
    encoder = Encoder(graph, weights, table, config.width, config.tokens)
    image = ("batch", 3, config.image, config.image)
    pixels = graph.input("pixel_values", image, TensorProto.FLOAT)
    patch, token = f"{_VISION}.patch_embedding", f"{_VISION}.class_embedding"
    x = embed_patches(graph, encoder, pixels, config, patch, token)
    position = graph.constant("position", encoder.get(f"{_VISION}.position_embedding.weight"))
    x = graph.node("Add", [x, position], "add_position")
    x = encoder.norm(x, "vision_model.pre_layrnorm")
    x = encoder.blocks(x, _names("vision_model"), "vision_model.encoder.layers")
    x = encoder.norm(first_token(graph, x), "vision_model.post_layernorm")
    x = encoder.linear(x, "visual_projection")
    graph.output(x, "image_embeds", ("batch", config.classes))
    return graph.finish()


def build_text(config: TextConfig, weights: Weights, opset: int) -> onnx.ModelProto:
    """input_ids [batch, 77], int64, to text_embeds [batch, 512]."""
    graph, table = Graph("clip-vit-b32-text", opset), text_parameters(config)
    encoder = Encoder(graph, weights, table, config.width, config.tokens)
    ids = graph.input("input_ids", ("batch", config.tokens), TensorProto.INT64)
    tokens = graph.constant("token_embedding", encoder.get(f"{_TEXT}.token_embedding.weight"))
    x = graph.node("Gather", [tokens, ids], "embed_tokens", axis=0)
    position = graph.constant("position", encoder.get(f"{_TEXT}.position_embedding.weight"))
    x = graph.node("Add", [x, position], "add_position")
    causal = np.triu(np.full((config.tokens, config.tokens), _MASKED, np.float32), 1)
    mask = graph.constant("causal_mask", causal[None, None])
    x = encoder.blocks(x, _names("text_model"), "text_model.encoder.layers", mask)
    x = encoder.norm(x, "text_model.final_layer_norm")
    x = encoder.linear(_end_of_text(graph, x, ids, config), "text_projection")
    graph.output(x, "text_embeds", ("batch", config.projection))
    return graph.finish()


def _end_of_text(graph: Graph, x: str, ids: str, config: TextConfig) -> str:
    """The token at the end-of-text id, which is the largest id of a sequence: [batch, dim].

    ArgMax runs on FLOAT because TensorRT 8 has no integer TopK; ids up to 49,407 are exact there,
    in FLOAT16 they are not. Rows of the flattened tokens are then gathered by number.
    """
    wide = graph.node("Cast", [ids], "end.to_float", to=TensorProto.FLOAT)
    end = graph.node("ArgMax", [wide], "end.argmax", axis=1, keepdims=0)
    size = graph.node("Squeeze", [graph.batch_size(ids), graph.ints(0)], "end.batch")
    zero = graph.constant("end.zero", np.array(0, np.int64))
    one = graph.constant("end.one", np.array(1, np.int64))
    row = graph.node("Range", [zero, size, one], "end.rows")
    start = graph.node("Mul", [row, graph.ints(config.tokens)], "end.row_start")
    index = graph.node("Add", [start, end], "end.index")
    flat = graph.node("Reshape", [x, graph.ints(-1, config.width.dim)], "end.flatten")
    return graph.node("Gather", [flat, index], "end.take", axis=0)
