"""``compat.toml``: what it may say, and how a mistake in it is told."""

from compat.config.load import ConfigError, find_config, load_config
from compat.config.schema import (
    BenchConfig,
    Config,
    GateConfig,
    LimitsConfig,
    ModelConfig,
    TargetConfig,
)

__all__ = [
    "BenchConfig",
    "Config",
    "ConfigError",
    "GateConfig",
    "LimitsConfig",
    "ModelConfig",
    "TargetConfig",
    "find_config",
    "load_config",
]
