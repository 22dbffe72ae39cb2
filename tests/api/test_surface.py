"""The collected surfaces: what is in them agrees with what NVIDIA says and with each other."""

from __future__ import annotations

import pytest

from compat.api.surface import DATA, VersionError, flavours, fold, surface, version_key
from compat.api.upgrade import Upgrade, replacements


def test_every_release_with_public_bindings_is_there() -> None:
    """8.5 to 11.4 of TensorRT, lean and dispatch from 8.6, RTX from 1.4."""
    full = surface("tensorrt").releases

    assert full[0] == "8.5.1.7"
    assert {"8.6.1", "10.0.1", "10.16.1.11", "11.0.0.114", "11.4.0.106"} <= set(full)
    assert surface("tensorrt_lean").releases[0] == "8.6.0"
    assert surface("tensorrt_dispatch").releases == surface("tensorrt_lean").releases
    assert surface("tensorrt_rtx").releases[0] == "1.4.0.76"
    assert sum(len(surface(one).releases) for one in flavours()) > 100


def test_what_was_not_collected_says_why() -> None:
    """9.x was never on PyPI as a wheel."""
    gaps = surface("tensorrt").gaps

    assert any(version.startswith("9.") for version in gaps)
    assert all("on PyPI" in why for why in gaps.values())


def test_the_data_stay_small() -> None:
    """The issue allows half a megabyte."""
    assert DATA.stat().st_size < 500_000


@pytest.mark.parametrize(
    ("symbol", "values"),
    [
        ("BuilderFlag.VERSION_COMPATIBLE", (15, 13, 12)),
        ("BuilderFlag.EXCLUDE_LEAN_RUNTIME", (16, 14, 13)),
        ("BuilderFlag.STRIP_PLAN", (None, 19, 18)),
        ("NetworkDefinitionCreationFlag.STRONGLY_TYPED", (None, 1, 0)),
        ("TacticSource.JIT_CONVOLUTIONS", (4, 4, 1)),
    ],
)
def test_enum_values_are_those_of_the_headers(
    symbol: str, values: tuple[int | None, int, int]
) -> None:
    """Against the table that was measured from headers and bindings of 8.6.1, 10.16 and 11."""
    upgrade = Upgrade(surface("tensorrt"), "8.6.1", "11.4.0.106")
    got = tuple(upgrade.enum_value(symbol, one) for one in ("8.6.1", "10.16.1.11", "11.4.0.106"))

    assert got == values


def test_lean_and_dispatch_hold_no_builder() -> None:
    """They only run engines."""
    for flavour in ("tensorrt_lean", "tensorrt_dispatch"):
        known = surface(flavour)
        assert known.latest("Runtime") is not None
        assert known.latest("Builder") is None


def test_a_version_is_found_by_its_beginning() -> None:
    """The newest that begins so; a full version is itself."""
    known = surface("tensorrt")

    assert known.resolve("8.6") == "8.6.1"
    assert known.resolve("10.16.0.72") == "10.16.0.72"
    assert known.resolve("10.14.1.48") == "10.14.1.48.post1"
    assert known.resolve("11") == known.releases[-1]
    assert known.resolve("10.1") == "10.1.0"


@pytest.mark.parametrize("asked", ["9.2", "9", "7.2", "", "x", "12"])
def test_an_unknown_version_is_a_clear_error(asked: str) -> None:
    """It names what there is, and for 9.x why it is missing."""
    with pytest.raises(VersionError, match=r"choose one of: 8\.5\.1\.7") as told:
        surface("tensorrt").resolve(asked)

    assert ("source package" in str(told.value)) == asked.startswith("9")


def test_versions_sort_as_released() -> None:
    """An early release stands before, a .post1 behind."""
    order = ["8.6.1", "10.0.0b6", "10.0.1", "10.6.0", "10.6.0.post1", "10.10.0.31", "11.0.0.114"]

    assert sorted(set(order), key=version_key) == order


def test_folding_keeps_each_release_apart() -> None:
    """A symbol that went and came back has two ranges."""
    there = {"A": ["class", ""], "A.x": ["member", "1"]}
    surfaces = {"f": {"1.0": there, "2.0": {"A": ["class", ""]}, "10.0": there}}
    data = fold(surfaces, {"f": {}})

    assert data["releases"] == {"f": ["1.0", "2.0", "10.0"]}
    assert [row[:2] for row in data["symbols"]["A.x"]["f"]] == [[0, 0], [2, 2]]
    assert [row[:2] for row in data["symbols"]["A"]["f"]] == [[0, 2]]


def _lost_setters() -> set[str]:
    """Return the properties that can be set in 8.6 or 10.16, and only be read in the last one."""
    known = surface("tensorrt")
    every = [Upgrade(known, before, known.releases[-1]) for before in ("8.6.1", "10.16.1.11")]
    return {symbol for symbol in known for upgrade in every if upgrade.fixed_at(symbol)}


def test_every_setter_that_went_has_a_replacement() -> None:
    """``context.active_optimization_profile = 0`` in 10.0, ``tensor.dtype = trt.int8`` in 11.0."""
    assert {"IExecutionContext.active_optimization_profile", "ITensor.dtype"} <= _lost_setters()
    assert _lost_setters() - set(replacements()) == set()


def test_every_replacement_is_of_a_known_symbol_that_went() -> None:
    """No row for what never was, or never went, in TensorRT; a setter may go alone."""
    known = surface("tensorrt")
    last = known.releases[-1]
    gone = [
        one for one in known
        if one not in ("find_lib", "try_load") and known.row(one, last) is None
    ]  # fmt: skip
    strays = set(replacements()) - set(gone) - _lost_setters() - {"ICudaEngine.__getitem__"}

    assert strays == set()


@pytest.mark.parametrize(("before", "after"), [("8.6.1", "10.0.1"), ("10.16.1.11", "11.0.0.114")])
def test_every_public_symbol_that_a_major_lost_has_a_replacement(before: str, after: str) -> None:
    """So that a finding never leaves the user without a way out."""
    # Trampolines that a plugin or allocator class of the user overrides; no code names them.
    overridden = {
        "IOutputAllocator.notify_shape",
        "IOutputAllocator.reallocate_output",
        "IOutputAllocator.tensorrt_version",
        "IPluginCreator.tensorrt_version",
    }
    known = surface("tensorrt")
    upgrade = Upgrade(known, before, after)
    lost = {
        one for one in known
        if known.row(one, before) and upgrade.lost(one) and not known.row(one, after)
    }  # fmt: skip
    told = {one for one in lost if "." in one or known.row(one, before)}

    assert told - set(replacements()) - overridden == set()


def test_a_replacement_names_what_the_next_major_has() -> None:
    """ "use ICudaEngine.get_tensor_shape" is of no use where there is none."""
    known = surface("tensorrt")
    for symbol, new in replacements().items():
        name = new.use.split("(")[0].split(" ")[0].rstrip(",;")
        if name.count(".") == 1 and name.split(".")[0] in known:
            assert name in known, symbol
            gone = known.row(symbol, known.releases[-1]) is None
            assert not gone or version_key(known.span(name)[1]) > version_key(known.span(symbol)[1])


def test_a_return_type_that_is_none_of_pythons_is_taken_from_another_release() -> None:
    """``get_plugin_registry`` documents ``detail::accessor`` from 10.2 on."""
    upgrade = Upgrade(surface("tensorrt"), "10.16.1.11", "11.4.0.106")

    assert upgrade.type_of("get_plugin_registry") == ("IPluginRegistry", False)
    assert upgrade.type_of("Builder.create_network") == ("INetworkDefinition", False)
    assert upgrade.type_of("ILayer.get_output") == ("ITensor", False)
