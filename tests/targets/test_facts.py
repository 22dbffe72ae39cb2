"""The rows on images, GPUs, drivers and JetPack: sound, sourced, found out when they are not."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from compat.targets import TargetError, catalogue
from compat.targets.doctor import audit
from compat.targets.facts import facts, load, numbers
from compat.targets.suggestion import FLAVOURS, image_of, offers

ROOT = Path(__file__).parents[2]
FILES = ("ngc.toml", "gpus.toml", "cuda.toml", "jetpack.toml", "pypi.toml")


class TestBuiltIn:
    """What comes with the program."""

    def test_is_sound(self) -> None:
        """The doctor of the data finds nothing."""
        assert audit(facts()) == []

    @pytest.mark.parametrize("name", FILES)
    def test_lies_beside_the_code(self, name: str) -> None:
        """An installed package has the files, too."""
        assert files("compat.targets").joinpath(name).is_file()

    def test_has_every_month_since_2022_07(self) -> None:
        """No tag is left out between the first and the last."""
        tags = [image.tag for image in facts().images]
        first, last = (int(tag[:2]) * 12 + int(tag[3:]) for tag in (tags[0], tags[-1]))

        assert tags[0] == "22.07"
        assert len(tags) == last - first + 1

    def test_what_rests_on_memory_is_marked(self) -> None:
        """Of these images no public text was found that names the release."""
        marked = {image.tag for image in facts().images if image.confidence == "memory"}

        assert marked == {"24.06", "25.07", "25.08", "25.09", "26.02", "26.09", "26.10"}

    def test_only_known_kinds_of_addresses(self) -> None:
        """A source is a public https address or the facts file, and no other scheme slips in."""
        text = "".join((ROOT / "compat/targets" / name).read_text("utf-8") for name in FILES)

        assert set(re.findall(r"(\w+)://", text)) == {"https"}

    @pytest.mark.parametrize("path", [*sorted((ROOT / "examples").glob("*.toml")), "compat.toml"])
    def test_knows_every_release_of_the_examples(self, path: Path | str) -> None:
        """A TensorRT release or an NGC image that an example names is one that can be asked for."""
        table = tomllib.loads((ROOT / path).read_text("utf-8"))
        known = [one for one in offers(catalogue(), facts()) if one.release]
        for target in table.get("targets", {}).values():
            if target["flavour"] in FLAVOURS:
                version = numbers(target["version"])
                # A JetPack is known by two parts of its release only.
                assert any(
                    one.flavour == target["flavour"]
                    and version[: len(numbers(one.release or "0"))] == numbers(one.release or "0")
                    for one in known
                )
            if "nvcr.io/nvidia/tensorrt" in target.get("image", ""):
                assert image_of(facts(), target["image"]) is not None


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / "compat/targets" / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("ngc.toml", 'tag = "24.08"', 'tag = "24.13"', r"ngc.toml: image.\d+.tag: .*24.08"),
        ("ngc.toml", 'cuda = "12.6.0"', 'cuda = "12.x"', r"ngc.toml: image.\d+.cuda: "),
        ("ngc.toml", 'confidence = "memory"', 'confidence = "sure"', r"image.\d+.confidence: "),
        (
            "ngc.toml",
            "stack-source = ",
            "stack-sauce = ",
            r"image.\d+.stack-source: Field required",
        ),
        ("gpus.toml", "sm = 75", 'sm = "Turing"', r"gpus.toml: capability.\d+.sm: "),
        ("gpus.toml", "https://", "http://", r"gpus.toml: .*a source is a public address"),
        ("cuda.toml", "[forward]", "[backward]", r"cuda.toml: forward: this key is required"),
        ("jetpack.toml", 'l4t = "35.1"', "", r"jetpack.toml: jetpack.\d+.l4t: Field required"),
        ("pypi.toml", "[[package]]", "[[package]", r"pypi.toml: it cannot be read"),
    ],
)
def test_a_wrong_file_is_told_with_file_and_key(
    folder: Path, name: str, old: str, new: str, said: str
) -> None:
    path = folder / name
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    with pytest.raises(TargetError, match=said) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "gpus.toml").unlink()

    with pytest.raises(TargetError, match=r"gpus\.toml: it cannot be read"):
        load(folder)


class TestAudit:
    """Each fault that a type cannot see is found."""

    def test_images(self) -> None:
        known = facts()
        first, second, *rest = known.images
        change = {"likely": "8.5.0.12", "cuda": "10.9", "memory": ("tensorrt", "colour")}
        bad = first.model_copy(update=change)

        found = " / ".join(audit(replace(known, images=(second, bad, *rest))))

        assert "image 22.07: stands after 22.08" in found
        assert "likely 8.5.0.12 is not a build of 8.4.1" in found
        assert "confidence and memory disagree" in found
        assert "memory names colour" in found
        assert "no CUDA 10.9" in found

    def test_an_unknown_release_needs_a_note(self) -> None:
        known = facts()
        bad = known.images[0].model_copy(update={"tensorrt": None})

        found = audit(replace(known, images=(bad, *known.images[1:])))

        assert found == ["image 22.07: an unknown release has to be told in a note"]

    def test_capabilities(self) -> None:
        known = facts()
        row = next(row for row in known.capabilities if row.sm == 70)
        turned = row.tensorrt.model_copy(update={"named": "10.9", "refused": True})
        bad = row.model_copy(update={"sm": 71, "tensorrt": turned, "names": ("T4",)})
        nameless = row.model_copy(update={"sm": 200, "names": (), "data_centre": ()})

        found = " / ".join(audit(replace(known, capabilities=(*known.capabilities, bad, nameless))))

        assert "capability 71: stands after 121" in found
        assert "its releases are not in order" in found
        assert "refused, and yet taken" in found
        assert "GPU t4: is in 2 rows" in found
        assert "capability 200: names no GPU" in found

    def test_boards(self) -> None:
        known = facts()
        bad = known.jetpacks[-1].model_copy(update={"boards": ("Orion",), "memory": ("colour",)})

        found = " / ".join(audit(replace(known, jetpacks=(*known.jetpacks[:-1], bad))))

        assert "JetPack 7.2: no row of gpus.toml names the board Orion" in found
        assert "JetPack 7.2: memory names colour" in found

    def test_traps(self) -> None:
        known = facts()
        bad = known.traps[0].model_copy(update={"versions": "ten"})

        assert "is no range of versions" in audit(replace(known, traps=(bad,)))[0]


def test_numbers_leave_a_suffix_out() -> None:
    assert numbers("10.14.1.48.post1") == (10, 14, 1, 48)


@pytest.mark.parametrize(
    ("reference", "tag"),
    [
        (":24.08", "24.08"),
        ("nvcr.io/nvidia/tensorrt:24.08-py3", "24.08"),
        ("mirror.example/ngc/tensorrt:24.08-py3@sha256:" + "0" * 64, "24.08"),
        ("nvcr.io/nvidia/tritonserver:24.08-py3", None),
        ("nvcr.io/nvidia/tensorrt:24.08-py3-igpu", None),
        ("mine:latest", None),
    ],
)
def test_the_row_of_an_image(reference: str, tag: str | None) -> None:
    """A mirror's copy is the same image; another name or variant is not."""
    row = image_of(facts(), reference)

    assert (row.tag if row else None) == tag
