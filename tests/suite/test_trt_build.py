"""What is asked of a builder and cannot be had is told before anything is built."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from compat.suite.adapters.base import Request
from compat.suite.adapters.trt_build import build_engine
from compat.suite.outcome import Unsupported


class _Flags:
    """The builder flags of TensorRT 8.5 that a request of fp16 needs."""

    FP16 = 0


def _module(version: str, *, has_level: bool) -> Any:
    """A module that ends the build at its first step, if it comes so far."""
    config = type("IBuilderConfig", (), {"builder_optimization_level": 3} if has_level else {})
    return SimpleNamespace(__version__=version, BuilderFlag=_Flags, IBuilderConfig=config)


def _request(level: int | None) -> Request:
    return Request("m.onnx", "fp16", "weak", "plain", {}, optimization_level=level)


def test_an_optimization_level_that_a_version_lacks_is_not_ignored() -> None:
    """TensorRT 8.5 would build at its own level, and the table would say it was another."""
    trt = _module("8.5.3.1", has_level=False)

    with pytest.raises(Unsupported) as raised:
        build_engine(trt, _request(0), lambda _: None, None)

    assert raised.value.reason == "optimization-level"
    assert "level 0" in raised.value.message
    assert "8.5.3.1" in raised.value.message


@pytest.mark.parametrize(("level", "has_level"), [(None, False), (0, True)])
def test_a_build_begins_where_no_level_is_asked_for_or_it_can_be_had(
    level: int | None, has_level: bool
) -> None:
    """Past the checks this module has no logger to build with."""
    with pytest.raises(AttributeError, match="ILogger"):
        build_engine(_module("8.6.0", has_level=has_level), _request(level), lambda _: None, None)
