"""The built-in models as PyTorch's users have them, from torchvision and transformers.

PyTorch does not read ONNX. The built-in graphs name their weights after the state dicts of these
two libraries, so a graph's weights and sizes are read from the ONNX file and put into the module.
"""

import importlib
import re
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from ..outcome import Failed, NotRun, Unsupported

_PRODUCER = "trt-compat"
_BN_EPS = 1e-5
_RESNET = "resnet50"
# What the graphs of compat.models name otherwise than the state dict does.
_ONNX_NAMES = {
    "vit.embeddings.cls_token": "class_token",
    "vit.embeddings.position_embeddings": "position",
    "vision_model.embeddings.class_embedding": "class_token",
    "vision_model.embeddings.position_embedding.weight": "position",
    "text_model.embeddings.token_embedding.weight": "token_embedding",
    "text_model.embeddings.position_embedding.weight": "position",
}
# transformers 5 renamed the parts of a ViT block; the graphs have the names before.
_VIT_BLOCK = re.compile(r"vit\.layers\.(\d+)\.(.+)\.(weight|bias)")
_VIT_PARTS = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


_CLASSES = {
    "vit-b16": ("ViTConfig", "ViTForImageClassification"),
    "clip-vit-b32-image": ("CLIPVisionConfig", "CLIPVisionModelWithProjection"),
    "clip-vit-b32-text": ("CLIPTextConfig", "CLIPTextModelWithProjection"),
}


class Blueprint(NamedTuple):
    """A graph of ours: which model, its sizes, the names of its inputs and outputs."""

    model: str
    sizes: Dict[str, Any]
    inputs: List[str]
    outputs: List[str]


def need(name: str, package: str = "") -> Any:
    """Import a library that the target may lack.

    Raises:
        NotRun: it is not there, or it is there and broken.
    """
    package = package or name
    try:
        return importlib.import_module(name)
    except ImportError as error:
        way_out = "install it beside PyTorch: pip install %s" % package
        raise NotRun(
            package + "-package-missing", "%s cannot be imported (%s); %s" % (name, error, way_out)
        )
    except Exception as error:  # torchvision of another PyTorch raises RuntimeError
        raise NotRun(package + "-package-broken", "importing %s failed: %s" % (name, error))


def read_onnx(path: str) -> Tuple[Blueprint, Dict[str, np.ndarray]]:
    """Read a built-in model's fp32 ONNX: its blueprint, and its weights as PyTorch keeps them.

    Raises:
        NotRun: the target has no onnx package.
        Unsupported: neither library has this model.
    """
    model = need("onnx").load(path)
    graph = model.graph
    if model.producer_name != _PRODUCER or graph.name not in _SIZES:
        raise Unsupported(
            "no-importer",
            "PyTorch cannot read ONNX; only %s have an implementation here" % ", ".join(_SIZES),
        )
    to_array = need("onnx.numpy_helper", "onnx").to_array
    arrays = {one.name: np.array(to_array(one)) for one in graph.initializer}
    shapes = {
        one.name: [axis.dim_value for axis in one.type.tensor_type.shape.dim] for one in graph.input
    }
    sizes = _SIZES[graph.name](list(graph.node), arrays, next(iter(shapes.values())))
    for node in graph.node:
        # A linear layer is a MatMul by the transposed weight.
        if node.op_type == "MatMul" and node.input[1] in arrays:
            arrays[node.input[1]] = np.ascontiguousarray(arrays[node.input[1]].T)
    weights = {name: array for name, array in arrays.items() if _is_weight(name, array)}
    outputs = [one.name for one in graph.output]
    return Blueprint(graph.name, sizes, list(shapes), outputs), weights


def _is_weight(name: str, array: np.ndarray) -> bool:
    return array.dtype == np.float32 and array.ndim > 0 and name != "causal_mask"


def _resnet_sizes(
    nodes: List[Any], arrays: Dict[str, np.ndarray], shape: List[int]
) -> Dict[str, Any]:
    blocks = {match.groups() for match in map(_block_of, arrays) if match}
    stages = sorted({stage for stage, _ in blocks})
    second = next(node for node in nodes if node.name == "layer2.0.conv1")
    strides = next(one.ints for one in second.attribute if one.name == "strides")
    return {
        "layers": [len({b for s, b in blocks if s == stage}) for stage in stages],
        "width": arrays["conv1.weight"].shape[0],
        "classes": arrays["fc.weight"].shape[0],
        "stride_on_first": strides[0] == 2,
    }


def _block_of(name: str) -> Any:
    return re.match(r"layer(\d+)\.(\d+)\.", name)


def _tower(nodes: List[Any], arrays: Dict[str, np.ndarray], up: str) -> Dict[str, Any]:
    """Read the sizes of an encoder from its attention's reshapes and its first MLP weight."""
    splits = [node for node in nodes if node.name.endswith(".query.heads")]
    _, _, heads, per_head = arrays[splits[0].input[1]].tolist()
    return {
        "hidden_size": heads * per_head,
        "num_attention_heads": heads,
        "num_hidden_layers": len(splits),
        "intermediate_size": arrays[up].shape[1],
    }


def _vit_sizes(nodes: List[Any], arrays: Dict[str, np.ndarray], shape: List[int]) -> Dict[str, Any]:
    sizes = _tower(nodes, arrays, "vit.encoder.layer.0.intermediate.dense.weight")
    patch = arrays["vit.embeddings.patch_embeddings.projection.weight"].shape[2]
    labels = arrays["classifier.weight"].shape[0]
    return dict(sizes, image_size=shape[2], patch_size=patch, num_labels=labels)


def _vision_sizes(
    nodes: List[Any], arrays: Dict[str, np.ndarray], shape: List[int]
) -> Dict[str, Any]:
    sizes = _tower(nodes, arrays, "vision_model.encoder.layers.0.mlp.fc1.weight")
    patch = arrays["vision_model.embeddings.patch_embedding.weight"].shape[2]
    projection = arrays["visual_projection.weight"].shape[1]
    return dict(sizes, image_size=shape[2], patch_size=patch, projection_dim=projection)


def _text_sizes(
    nodes: List[Any], arrays: Dict[str, np.ndarray], shape: List[int]
) -> Dict[str, Any]:
    sizes = _tower(nodes, arrays, "text_model.encoder.layers.0.mlp.fc1.weight")
    return dict(
        sizes,
        vocab_size=arrays["token_embedding"].shape[0],
        max_position_embeddings=shape[1],
        projection_dim=arrays["text_projection.weight"].shape[1],
        # End of text 2, as the published file has it, means the largest id of a sequence.
        bos_token_id=0,
        eos_token_id=2,
    )


_SIZES: Dict[str, Callable[[List[Any], Dict[str, np.ndarray], List[int]], Dict[str, Any]]] = {
    _RESNET: _resnet_sizes,
    "vit-b16": _vit_sizes,
    "clip-vit-b32-image": _vision_sizes,
    "clip-vit-b32-text": _text_sizes,
}


def library(blueprint: Blueprint) -> Any:
    """Import what holds a blueprint's classes: a module of torchvision, or transformers.

    Raises:
        NotRun: it is not there.
    """
    if blueprint.model == _RESNET:
        return need("torchvision.models.resnet", "torchvision")
    transformers = need("transformers")
    for name in _CLASSES[blueprint.model]:
        try:
            getattr(transformers, name)  # transformers imports a model's own module on first use
        except Exception as error:  # for want of something beside it
            raise NotRun(
                "transformers-package-broken", "transformers has no %s here: %s" % (name, error)
            )
    return transformers


def make_module(blueprint: Blueprint, weights: Dict[str, Any]) -> Any:
    """Make the library's module in evaluation mode and fill it with a graph's weights (tensors).

    Raises:
        NotRun: the library is not there.
        Failed: the module has a parameter for which the graph has no weight of its shape.
    """
    make = _make_resnet if blueprint.model == _RESNET else _make_transformer
    module, filled = make(blueprint, weights)
    state = module.state_dict()
    for name, parameter in module.named_parameters():
        found = filled.get(name)
        if found is None or found.numel() != parameter.numel():
            raise Failed(
                "weights-mismatch",
                "the graph has no weight for %s %s" % (name, tuple(parameter.shape)),
            )
        state[name] = found.reshape(parameter.shape)
    state.update({name: filled[name] for name in state if name.endswith(".running_var")})
    module.load_state_dict(state)
    return module.eval()


def _make_resnet(blueprint: Blueprint, weights: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
    """Return torchvision's ResNet with its BatchNorms in place, for PyTorch's users run them.

    The graph has them folded into the convolutions, so each one passes on its input and adds the
    folded bias; its variance makes up for the epsilon.
    """
    resnet = library(blueprint)
    nn = need("torch.nn", "torch")
    sizes, block = blueprint.sizes, resnet.Bottleneck
    layers, width = sizes["layers"], sizes["width"]
    module = resnet.ResNet(block, layers, num_classes=sizes["classes"])
    if width != 64:  # the small form; torchvision's constructor has the stem's width fixed
        module.inplanes = width
        module.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        module.bn1 = nn.BatchNorm2d(width)
        for stage, count in enumerate(layers):
            made = module._make_layer(block, width << stage, count, stride=2 if stage else 1)
            setattr(module, "layer%d" % (stage + 1), made)
        module.fc = nn.Linear((width << 3) * block.expansion, sizes["classes"])
    if sizes["stride_on_first"]:
        for stage in range(2, len(layers) + 1):
            first = getattr(module, "layer%d" % stage)[0]
            first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
    filled = dict(weights)
    for name, part in module.named_modules():
        if not isinstance(part, nn.BatchNorm2d):
            continue
        conv = re.sub(r"bn(\d)$", r"conv\1", name)
        conv = re.sub(r"downsample\.1$", "downsample.0", conv)
        filled[name + ".weight"] = part.weight.detach() * 0 + 1
        filled[name + ".bias"] = weights[conv + ".bias"]
        filled[name + ".running_var"] = part.running_var * 0 + (1 - _BN_EPS)
    return module, filled


def _make_transformer(blueprint: Blueprint, weights: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
    """Return transformers' model, with PyTorch's own scaled dot-product attention."""
    transformers = library(blueprint)
    config, model = (getattr(transformers, name) for name in _CLASSES[blueprint.model])
    module = model._from_config(config(**blueprint.sizes), attn_implementation="sdpa")
    filled = {name: weights.get(_onnx_name(name)) for name, _ in module.named_parameters()}
    return module, filled


def _onnx_name(name: str) -> str:
    """Return what a parameter of transformers is called in our graphs."""
    match = _VIT_BLOCK.fullmatch(name)
    if match:
        number, part, kind = match.groups()
        return "vit.encoder.layer.%s.%s.%s" % (number, _VIT_PARTS.get(part, part), kind)
    return _ONNX_NAMES.get(name, name)
