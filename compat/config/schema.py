"""The keys of ``compat.toml``, their types and defaults. pydantic checks them all at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

Flavour = Literal[
    "tensorrt", "tensorrt_lean", "tensorrt_dispatch", "tensorrt_rtx", "onnxruntime", "pytorch"
]
Precision = Literal["fp32", "tf32", "fp16", "bf16", "int8", "int8-calibrated", "fp8"]
Provider = Literal["wheel", "container", "local"]
Role = Literal["current", "candidate", "other"]
Variant = Literal[
    "plain", "vc", "vc-lean-excluded", "hc-ampere-plus", "hc-same-cc", "stripped", "compiled"
]
Decision = Literal["stop", "allow"]
Point = Literal["min", "opt", "max"]
Trtexec = Literal["load", "build"]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_VERSION = re.compile(r"^\d+(\.\d+){1,3}(\.post\d+)?$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_PARTS = {
    "tensorrt_rtx": 4,
    "tensorrt": 4,
    "tensorrt_lean": 4,
    "tensorrt_dispatch": 4,
    "pytorch": 3,
}
_TOLD_HOW_TO_BUILD = ("tensorrt", "tensorrt_rtx")
# PyTorch runs a module as it stands (eager), or through torch.compile.
_PYTORCH_VARIANTS = ("plain", "compiled")
# Versions that a target may name by three parts. The package index has no other for these wheels. A
# library of 10 that is installed states four, and so does an image, where 8.6.1 has two builds.
_THREE_PARTS: dict[str, tuple[str, ...]] = {
    "wheel": (
        *("8.6.0", "8.6.1", "10.0.1", "10.1.0", "10.2.0", "10.3.0"),
        *("10.4.0", "10.5.0", "10.6.0", "10.7.0"),
    ),
    "local": ("8.6.0", "8.6.1"),
    "container": (),
}


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("a name holds letters, digits, '.', '_' and '-' only")
    return value


def _version(value: object) -> object:
    if isinstance(value, float | int):
        raise ValueError(f'write the version in quotes, with all its parts: version = "{value}"')
    if isinstance(value, str) and not _VERSION.match(value):
        raise ValueError("a pinned version is numbers and dots, such as 1.7.1.116")
    return value


def _image(value: str) -> str:
    if value.startswith("-") or any(letter.isspace() for letter in value):
        raise ValueError("an image is written as registry/name:tag, without spaces")
    return value


def _digest(value: str) -> str:
    if not _DIGEST.match(value):
        raise ValueError('a digest is "sha256:" and 64 hexadecimal digits')
    return value


def _range(value: tuple[int, int, int]) -> tuple[int, int, int]:
    low, opt, high = value
    if not 1 <= low <= opt <= high:
        raise ValueError("an axis is [min, opt, max] with 1 <= min <= opt <= max")
    return value


def _lag(value: str) -> str:
    if not re.fullmatch(r"\d{1,5}[hdw]", value):
        raise ValueError("a lag is a number and h, d or w, such as 14d")
    return value


Name = Annotated[str, AfterValidator(_name)]
Version = Annotated[str, BeforeValidator(_version)]
ImageName = Annotated[str, AfterValidator(_image)]
Digest = Annotated[str, AfterValidator(_digest)]
Level = Annotated[int, Field(ge=0, le=5)]
AxisRange = Annotated[tuple[int, int, int], AfterValidator(_range)]
Lag = Annotated[str, AfterValidator(_lag)]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class _Table(BaseModel):
    """A table of the file: unknown keys are errors, keys are written with dashes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=_dashed, populate_by_name=True
    )


class BuildConfig(_Table):
    """``[build]``: what every builder is told beside precision and variant."""

    workspace: ByteSize | None = None
    optimization_level: Level | None = None
    timing_cache: bool = True


class TargetBuildConfig(_Table):
    """``[targets.NAME.build]``: what this builder is told instead; an absent key inherits."""

    workspace: ByteSize | None = None
    optimization_level: Level | None = None
    timing_cache: bool | None = None

    def over(self, base: BuildConfig) -> BuildConfig:
        """Return the settings with this table's keys over `base`."""
        return base.model_copy(update=self.model_dump(exclude_none=True))


class TargetConfig(_Table):
    """``[targets.NAME]``: one pinned environment."""

    flavour: Flavour
    version: Version
    provider: Provider = Field(default="wheel", validate_default=True)
    role: Role = "other"
    python: str | None = None
    cuda: Literal["12", "13"] | None = None
    index: str | None = None
    find_links: list[Path] = []
    image: ImageName | None = None
    digest: Digest | None = None
    models: list[str] | None = None
    precisions: list[Precision] | None = None
    variants: list[Variant] | None = None
    cross: bool = True
    build: TargetBuildConfig = TargetBuildConfig()

    @model_validator(mode="after")
    def _is_a_builder(self) -> TargetConfig:
        if self.build != TargetBuildConfig() and self.flavour not in _TOLD_HOW_TO_BUILD:
            raise ValueError(f"{self.flavour} takes none of the settings under 'build'")
        return self

    @field_validator("provider")
    @classmethod
    def _can_provide(cls, value: Provider, info: ValidationInfo) -> Provider:
        if value == "wheel" and info.data.get("flavour") == "pytorch":
            raise ValueError(
                "PyTorch is not made from wheels, which bring gigabytes of CUDA libraries; write "
                'provider = "local" and, as python, an interpreter that has PyTorch'
            )
        return value

    @model_validator(mode="after")
    def _has_an_image(self) -> TargetConfig:
        if self.provider == "container" and not self.image:
            raise ValueError(
                'a container target names its image: image = "nvcr.io/nvidia/tensorrt:23.08-py3"'
            )
        if self.provider != "container" and (self.image or self.digest):
            raise ValueError('image and digest go with provider = "container"')
        return self

    @field_validator("role")
    @classmethod
    def _takes_part(cls, value: Role, info: ValidationInfo) -> Role:
        if value != "other" and info.data.get("flavour") == "pytorch":
            raise ValueError("PyTorch is a baseline and takes no part in an upgrade; leave it out")
        return value

    @field_validator("variants")
    @classmethod
    def _has_variants(
        cls, value: list[Variant] | None, info: ValidationInfo
    ) -> list[Variant] | None:
        flavour = info.data.get("flavour")
        for variant in value or ():
            if flavour == "pytorch" and variant not in _PYTORCH_VARIANTS:
                raise ValueError(f"pytorch has plain (eager) and compiled, not {variant!r}")
            if flavour is not None and flavour != "pytorch" and variant == "compiled":
                raise ValueError(f"'compiled' is torch.compile; {flavour} has no such variant")
        return value

    @model_validator(mode="after")
    def _all_parts(self) -> TargetConfig:
        wanted = _PARTS.get(self.flavour)
        version = self.version.split(".post")[0]
        parts = len(version.split("."))
        if wanted and parts != wanted and version not in _THREE_PARTS[self.provider]:
            raise ValueError(
                f"{self.flavour} versions have {wanted} parts and the last one counts for "
                f"compatibility; {self.version!r} has {parts}"
            )
        return self


class ContainersConfig(_Table):
    """``[containers]``: how the containers of all container targets are run."""

    engine: Literal["auto", "podman", "docker"] = "auto"
    gpus: Literal["auto", "cdi", "flag", "none"] = "auto"
    memory: ByteSize | None = None
    shm_size: ByteSize | None = None
    pull: bool = False


class AccuracyLimits(_Table):
    """Limits against the fp32 golden output; a key that is absent is not judged."""

    cosine: float | None = Field(default=None, ge=-1, le=1)
    relative_l2: float | None = Field(default=None, ge=0)
    max_abs: float | None = Field(default=None, ge=0)
    sqnr_db: float | None = None
    top1_agreement: float | None = Field(default=None, ge=0, le=1)
    top1_loss: float | None = Field(default=None, ge=0, le=1)

    def over(self, base: AccuracyLimits) -> dict[str, float]:
        """Return the limits with this table's keys over `base`, by their dashed names."""
        merged = base.model_dump(by_alias=True, exclude_none=True)
        return {**merged, **self.model_dump(by_alias=True, exclude_none=True)}


class ModelConfig(_Table):
    """``[models.NAME]``: one ONNX graph with its profile, inputs and limits."""

    source: str
    axes: dict[str, AxisRange] = {}
    precisions: list[Precision] | None = None
    inputs: str | None = None
    calibration: str | None = None
    labels: str | None = None
    labels_limit: PositiveInt | None = None
    fp32_nodes: list[str] = []
    low_precision_nodes: list[str] = []
    accuracy: dict[Precision, AccuracyLimits] = {}

    @model_validator(mode="after")
    def _one_list(self) -> ModelConfig:
        if self.fp32_nodes and self.low_precision_nodes:
            raise ValueError("give fp32-nodes or low-precision-nodes, not both")
        return self


class CvLimits(_Table):
    """Largest coefficient of variation of a series that may be judged, per clock."""

    gpu: PositiveFloat = 0.025  # trtexec warns above it (samples/common/sampleReporting.cpp)
    host: PositiveFloat = 0.10


class LimitsConfig(_Table):
    """``[limits]``: what still counts as holding."""

    latency: PositiveFloat = 0.05
    max_cv: CvLimits = CvLimits()
    accuracy: dict[Precision, AccuracyLimits] = {}


class BenchConfig(_Table):
    """``[bench]``: how latency is measured. Times in seconds."""

    rounds: PositiveInt = 5
    seconds: PositiveFloat = 0.6
    warmup: PositiveFloat = 0.2
    min_samples: PositiveInt = 3
    max_samples: PositiveInt = 1000
    points: list[Point] = ["opt"]
    trtexec: list[Trtexec] = []


class TimeoutConfig(_Table):
    """``[timeouts]``: seconds after which an item is stopped and recorded as a timeout."""

    build: PositiveFloat = 1800
    load: PositiveFloat = 300
    accuracy: PositiveFloat = 900
    top1: PositiveFloat = 1800
    latency: PositiveFloat = 900
    start: PositiveFloat = 120

    def by_check(self) -> dict[str, float]:
        """Return the limit of each check, and ``start`` for the time before the first item."""
        alike = {
            "rebuild": self.build,
            "damaged": self.load,
            "trtexec_load": self.latency,
            "trtexec_build": self.build + self.latency,
        }
        return {**self.model_dump(), **alike}


class GateConfig(_Table):
    """``[gate]``: what stops a release besides a blocked upgrade."""

    inconclusive: Decision = "stop"
    not_run: Decision = "stop"


class ImagesConfig(_Table):
    """``[images]``: where container images come from and which registry holds copies of them."""

    upstream: str | None = None
    mirror: str | None = None
    max_lag: Lag | None = None


class CodeConfig(_Table):
    """``[code]``: the user's own code, scanned for what each upgrade of TensorRT breaks in it."""

    paths: list[Path] = []


class Config(_Table):
    """A whole ``compat.toml``."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    targets: dict[Name, TargetConfig] = Field(min_length=1)
    models: dict[Name, ModelConfig] = Field(min_length=1)
    precisions: list[Precision] = Field(default=["fp32", "fp16", "int8"], min_length=1)
    variants: list[Variant] = Field(default=["plain"], min_length=1)
    rebuild: bool = True
    damage: bool = True
    limits: LimitsConfig = LimitsConfig()
    containers: ContainersConfig = ContainersConfig()
    build: BuildConfig = BuildConfig()
    bench: BenchConfig = BenchConfig()
    timeouts: TimeoutConfig = TimeoutConfig()
    gate: GateConfig = GateConfig()
    images: ImagesConfig = ImagesConfig()
    code: CodeConfig = CodeConfig()

    def build_of(self, target: str) -> BuildConfig:
        """Return what a target's builder is told: its own settings over the common ones."""
        return self.targets[target].build.over(self.build)

    @field_validator("variants")
    @classmethod
    def _are_builds(cls, value: list[Variant]) -> list[Variant]:
        if "compiled" in value:
            raise ValueError("'compiled' is of pytorch alone; write it into the target's variants")
        return value

    def variants_of(self, target: TargetConfig) -> list[Variant]:
        """Return a target's variants: its own, else the matrix's; those are TensorRT's builds."""
        if target.variants is not None:
            return target.variants
        return ["plain"] if target.flavour == "pytorch" else self.variants
