"""Every mistake of a configuration is told at once, with its key and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.config import Config, ConfigError, find_config, load_config

GOOD = """
schema = 1
[targets."rtx-1.6"]
flavour = "tensorrt_rtx"
version = "1.6.1.120"
role = "current"
[models.resnet50]
source = "builtin:resnet50"
"""


def _load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "compat.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def _problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    return str(caught.value)


def test_the_default_matrix_is_valid() -> None:
    """The file at the root of the repository is what a user starts from."""
    config = load_config(Path(__file__).parents[2] / "compat.toml")

    assert [t.version for t in config.targets.values()] == [
        "1.4.0.76",
        "1.5.0.114",
        "1.6.1.120",
        "1.7.1.116",
        "1.30.0",
        "1.31.1",
    ]
    assert len(config.models) == 4


def test_a_target_can_be_told_to_build_otherwise(tmp_path: Path) -> None:
    """What it does not say is that of ``[build]``; the other targets know nothing of it."""
    config = _load(
        tmp_path,
        """
        [build]
        workspace = "1GiB"
        timing-cache = false
        [targets.a]
        flavour = "tensorrt"
        version = "8.6.0"
        [targets.b]
        flavour = "tensorrt"
        version = "8.6.0"
        build = { optimization-level = 0, timing-cache = true }
        [models.m]
        source = "builtin:resnet50"
        """,
    )

    assert isinstance(config, Config)
    assert config.build_of("a") == config.build
    told = config.build_of("b")
    assert (told.workspace, told.optimization_level, told.timing_cache) == (2**30, 0, True)
    again = Config.model_validate(config.model_dump(mode="json", by_alias=True))  # in a bundle
    assert again.build_of("b") == told


@pytest.mark.parametrize("flavour", ["onnxruntime", "tensorrt_lean"])
def test_build_settings_are_refused_where_nothing_would_heed_them(
    tmp_path: Path, flavour: str
) -> None:
    """A setting without effect would make two equal targets look different."""
    said = _problems(
        tmp_path,
        f"""
        [targets.a]
        flavour = "{flavour}"
        version = "8.6.0"
        build = {{ optimization-level = 0 }}
        [models.m]
        source = "builtin:resnet50"
        """,
    )

    assert f"{flavour} takes none of the settings under 'build'" in said


def test_a_name_with_a_dot_needs_quotes(tmp_path: Path) -> None:
    """Versions have dots, and TOML makes a table of each part."""
    rest = 'flavour = "onnxruntime"\nversion = "1.31.1"\n[models.m]\nsource = "builtin:resnet50"'

    assert 'stands in quotes: [targets."ort-1.31"]' in _problems(
        tmp_path, f"[targets.ort-1.31]\n{rest}"
    )
    assert 'stands in quotes: [targets."trt-10.13.3.9"]' in _problems(
        tmp_path, f"[targets.trt-10.13.3.9]\n{rest}"
    )
    assert "did you mean 'build'?" in _problems(
        tmp_path, f"[targets.a]\n{rest}\n[targets.a.buidl]\nworkspace = 1"
    )


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """One run of the program is enough to mend the whole file."""
    text = _problems(
        tmp_path,
        """
        presicions = ["fp32"]
        [targets.a]
        flavour = "tensorrt_rxt"
        version = "1.7.1.116"
        [models.m]
        source = "builtin:resnet50"
        axes = { batch = [8, 1, 16] }
        [gate]
        not-ran = "allow"
        """,
    )

    assert "4 problems" in text
    assert "compat.toml" in text
    assert "presicions: unknown key; did you mean 'precisions'?" in text
    assert "did you mean 'tensorrt_rtx'?" in text
    assert "models.m.axes.batch: an axis is [min, opt, max]" in text
    assert "gate.not-ran: unknown key; did you mean 'not-run'?" in text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("version", "1.7", "write the version in quotes"),
        ("version", '"1.7.1"', "versions have 4 parts"),
        ("version", '"latest"', "a pinned version is numbers and dots"),
        ("role", '"curent"', "did you mean 'current'?"),
        ("provider", '"docker"', "not 'docker'"),
        ("zzz", '"red"', "unknown key; known keys: build, cross, cuda, digest, find-links"),
    ],
)
def test_a_wrong_target_key_is_named(tmp_path: Path, key: str, value: str, said: str) -> None:
    """The message holds the key's path and what would be right."""
    table = {"flavour": '"tensorrt_rtx"', "version": '"1.7.1.116"', key: value}
    lines = "\n".join(f"{name} = {given}" for name, given in table.items())

    text = _problems(tmp_path, f'[targets.t]\n{lines}\n[models.m]\nsource = "builtin:resnet50"\n')

    assert f"targets.t.{key}" in text or "targets.t" in text
    assert said in text


TORCH = {"flavour": '"pytorch"', "version": '"2.11.0"', "provider": '"local"'}


@pytest.mark.parametrize(
    ("changed", "where", "said"),
    [
        ({"provider": '"wheel"'}, "targets.t.provider", 'write provider = "local"'),
        ({"provider": ""}, "targets.t.provider", 'write provider = "local"'),
        ({"version": '"2.11"'}, "targets.t", "versions have 3 parts"),
        ({"version": '"2.11.0+cu130"'}, "targets.t.version", "numbers and dots"),
        ({"role": '"current"'}, "targets.t.role", "takes no part in an upgrade"),
        ({"variants": '["vc"]'}, "targets.t.variants", "plain (eager) and compiled, not 'vc'"),
        (
            {"flavour": '"tensorrt_rtx"', "version": '"1.7.1.116"', "variants": '["compiled"]'},
            "targets.t.variants",
            "'compiled' is torch.compile; tensorrt_rtx has no such variant",
        ),
    ],
)
def test_what_a_baseline_cannot_be_is_told(
    tmp_path: Path, changed: dict[str, str], where: str, said: str
) -> None:
    """PyTorch is taken as found, has two variants of its own, and no role."""
    table = {key: value for key, value in {**TORCH, **changed}.items() if value}
    lines = "\n".join(f"{name} = {given}" for name, given in table.items())

    text = _problems(tmp_path, f'[targets.t]\n{lines}\n[models.m]\nsource = "builtin:resnet50"\n')

    assert f"{where}: " in text
    assert said in text


def test_compiled_is_no_variant_of_the_whole_matrix(tmp_path: Path) -> None:
    """Every TensorRT target would be asked for it."""
    text = _problems(tmp_path, 'variants = ["plain", "compiled"]\n' + GOOD)

    assert "variants: 'compiled' is of pytorch alone" in text


def test_two_current_targets_of_a_flavour_are_refused(tmp_path: Path) -> None:
    """An upgrade has one starting point."""
    text = _problems(
        tmp_path,
        GOOD + '[targets.x]\nflavour = "tensorrt_rtx"\nversion = "1.7.1.116"\nrole = "current"\n',
    )

    assert "rtx-1.6 and x are both the current tensorrt_rtx" in text


def test_a_targets_unknown_model_is_named(tmp_path: Path) -> None:
    """A typo there must not give an empty target."""
    text = _problems(
        tmp_path,
        GOOD + '[targets.x]\nflavour = "onnxruntime"\nversion = "1.30.0"\nmodels = ["resnet"]\n',
    )

    assert "targets.x.models: there is no model 'resnet'; the file has" in text


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    """The path is told as it was looked for: relative to the configuration."""
    text = _problems(tmp_path, GOOD + '[models.mine]\nsource = "nets/mine.onnx"\n')

    assert "models.mine.source: there is no file" in text
    assert str(tmp_path / "nets" / "mine.onnx") in text


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    """A syntax error is the reader's to place."""
    assert "line 2" in _problems(tmp_path, "schema = 1\ntargets = = 3")


def test_a_missing_configuration_says_how_to_name_one(tmp_path: Path) -> None:
    """The first thing a newcomer may meet."""
    with pytest.raises(ConfigError, match="--config FILE"):
        find_config(None, tmp_path)


def test_a_model_has_one_list_of_nodes(tmp_path: Path) -> None:
    """What is to stay and what may be lowered cannot both be the exception."""
    lists = 'fp32-nodes = ["a"]\nlow-precision-nodes = ["b"]\n'

    text = _problems(tmp_path, GOOD + f'[models.two]\nsource = "builtin:resnet50"\n{lists}')

    assert "models.two: give fp32-nodes or low-precision-nodes, not both" in text
