"""``trt-compat images status`` against real registries on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from compat.cli import main
from tests.images.shelf import DOCKER_MANIFEST, Shelf, free_port

Matrix = Callable[..., Path]


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and what was said as JSON."""
    code = main(["images", "status", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def codes(said: dict[str, Any]) -> dict[str, list[str]]:
    """Return the findings' codes of each image."""
    return {
        one["image"]: [finding["code"] for finding in one["findings"]] for one in said["images"]
    }


def ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


@pytest.fixture
def sides(upstream: Shelf, mirror: Shelf) -> list[str]:
    return ["--upstream", upstream.host, "--mirror", mirror.host]


def test_equal_sides_hold(
    upstream: Shelf,
    mirror: Shelf,
    sides: list[str],
    repository: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digest = upstream.image(repository, "25.01-py3")
    assert mirror.image(repository, "25.01-py3") == digest

    code, said = ask(capsys, *sides, "--repository", repository)

    assert code == 0
    assert codes(said) == {f"{repository}:25.01-py3": []}
    assert said["images"][0]["mirror"]["digest"] == digest


def test_what_the_mirror_lacks_counts_from_the_images_date(
    upstream: Shelf,
    mirror: Shelf,
    sides: list[str],
    repository: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A new image may be missing for a while; an old one may not."""
    mirror.image(repository, "other")
    upstream.image(repository, "old", "old", created=ago(20))
    upstream.image(repository, "new", "new", created=ago(3))
    call = [*sides, "--repository", repository]

    unlimited, said = ask(capsys, *call)
    limited, judged = ask(capsys, *call, "--max-lag", "14d")

    assert (unlimited, limited) == (0, 1)
    assert codes(said)[f"{repository}:old"] == ["missing-in-mirror"]
    assert codes(said)[f"{repository}:other"] == ["only-in-mirror"]
    levels = {one["image"].partition(":")[2]: one["level"] for one in judged["images"]}
    assert levels == {"old": "stop", "new": "note", "other": "note"}
    old = next(one for one in judged["images"] if one["tag"] == "old")["findings"][0]
    assert old["lag_s"] // 86400 == 20


@pytest.mark.parametrize("created", [None, "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_an_image_without_a_date_counts_as_late(
    created: str | None,
    upstream: Shelf,
    sides: list[str],
    repository: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Reproducible builds write the epoch; that it is fresh would be a guess."""
    upstream.image(repository, "a", created=created)

    code, said = ask(capsys, *sides, "--repository", repository, "--max-lag", "14d")

    assert code == 1
    assert "since when is not known" in said["images"][0]["findings"][0]["text"]


def test_a_tag_that_the_mirror_holds_in_an_older_state(
    upstream: Shelf,
    mirror: Shelf,
    sides: list[str],
    repository: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = mirror.image(repository, "latest", "first")
    new = upstream.image(repository, "latest", "second", created=ago(5))
    call = [*sides, "--repository", repository, "--max-lag"]

    assert ask(capsys, *call, "1w")[0] == 0
    code, said = ask(capsys, *call, "48h")

    finding = said["images"][0]["findings"][0]
    assert code == 1
    assert (finding["code"], finding["old"], finding["new"]) == ("stale-in-mirror", old, new)


def test_a_mirror_with_one_platform_of_an_index(
    upstream: Shelf,
    mirror: Shelf,
    sides: list[str],
    repository: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The digest of a platform says which part of the image the mirror has."""
    _, platforms = upstream.index(repository, "multi")
    assert mirror.image(repository, "multi", "layer arm64", architecture="arm64") in (
        platforms.values()
    )

    _, said = ask(capsys, *sides, "--repository", repository)

    image = said["images"][0]
    assert image["upstream"]["platforms"] == platforms
    assert image["findings"][0]["code"] == "partial-in-mirror"
    assert "linux/arm64 alone" in image["findings"][0]["text"]


def test_dockers_own_manifests_are_read(
    upstream: Shelf, sides: list[str], repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = upstream.image(repository, "a", kind=DOCKER_MANIFEST, created=ago(9))

    _, said = ask(capsys, *sides, "--repository", repository)

    assert said["images"][0]["upstream"]["digest"] == digest
    assert said["images"][0]["findings"][0]["lag_s"] // 86400 == 9


def test_a_pattern_chooses_among_hundreds_of_tags(
    upstream: Shelf, sides: list[str], repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A registry answers with a hundred tags at a time; signatures are no images."""
    body = upstream.image(repository, "")
    content = upstream.get(f"/v2/{repository}/manifests/{body}", "*/*, " + OCI)
    for number in range(230):
        upstream.manifest(repository, f"24.{number:03}-py3", content, OCI)
    upstream.manifest(repository, "sha256-0123.sig", content, OCI)
    call = [*sides, "--repository", repository]

    _, some = ask(capsys, *call, "--tags", "*.22?-py3", "--tags", "24.007-*")
    _, every = ask(capsys, *call)

    assert len(some["images"]) == 11
    assert len(every["images"]) == 230
    assert "24.229-py3" in {one["tag"] for one in every["images"]}


OCI = "application/vnd.oci.image.manifest.v1+json"


def test_a_pattern_without_a_tag_is_a_wrong_call(
    upstream: Shelf, sides: list[str], repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.image(repository, "a")

    assert main(["images", "status", *sides, "--repository", repository, "--tags", "z*"]) == 2
    assert "no tag matches z*" in capsys.readouterr().err


def test_a_misspelt_repository_is_told_from_a_misspelt_pattern(
    upstream: Shelf, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--upstream", upstream.host, "--repository", f"{repository}-misspelt"]

    assert main(["images", "status", *call]) == 2
    assert f"{upstream.host}/{repository}-misspelt: there is no such" in capsys.readouterr().err


def test_a_mirror_of_itself_is_a_wrong_call(
    upstream: Shelf, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lacks nothing, so everything would look well."""
    call = ["--upstream", upstream.host, "--mirror", upstream.host, "--repository", repository]

    assert main(["images", "status", *call]) == 2
    assert "the same" in capsys.readouterr().err


def test_a_pattern_need_not_match_in_every_repository(
    upstream: Shelf, repository: str, matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    one = upstream.image(repository, "a")
    other = upstream.image(f"{repository}-other", "b")
    name = f"{upstream.host}/{repository}"
    matrix({"one": (f"{name}:a", one), "other": (f"{name}-other:b", other)})
    upstream.image(repository, "new")

    code, said = ask(capsys, "--tags", "n*")

    assert code == 0
    assert sorted(codes(said)) == [f"{repository}-other:b", f"{repository}:a", f"{repository}:new"]


def test_a_pinned_image_of_the_matrix(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both places may stand in compat.toml; a pin holds by its index or by a platform of it."""
    digest, platforms = upstream.index(repository, "1")
    mirror.index(repository, "1")
    name = f"{upstream.host}/{repository}:1"
    pins = {"whole": (name, digest), "part": (name, platforms["linux/arm64"])}
    matrix(pins, f'upstream = "{upstream.host}"\nmirror = "{mirror.host}"')

    code, said = ask(capsys)

    assert code == 0, said
    assert codes(said) == {f"{repository}:1": []}
    assert {pin["target"] for pin in said["images"][0]["pins"]} == {"whole", "part"}


def test_a_moved_tag_is_told_with_both_digests(
    upstream: Shelf, repository: str, matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pin still pulls, so it stops only by the allowed lag."""
    old = upstream.image(repository, "1", "first")
    new = upstream.image(repository, "1", "second", created=ago(30))
    matrix({"box": (f"{upstream.host}/{repository}:1", old)})

    code, said = ask(capsys)
    late, _ = ask(capsys, "--max-lag", "2w")

    finding = said["images"][0]["findings"][0]
    assert (code, late) == (0, 1)
    assert (finding["code"], finding["old"], finding["new"]) == ("moved", old, new)
    assert "30 days ago" in finding["text"]


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_deleted_digest_stops(
    mirrored: bool,
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A target that pulls it would fail, whatever lag is allowed."""
    gone = upstream.image(repository, "1", "first")
    upstream.delete(repository, gone)
    if mirrored:
        mirror.image(repository, "1", "first")
    path = matrix({"box": (f"{upstream.host}/{repository}:1", gone)})

    call = ["--config", str(path), "--mirror", mirror.host, "--max-lag", "52w"]
    code, said = ask(capsys, *call)

    finding = said["images"][0]["findings"][0]
    assert code == 1
    assert (finding["code"], finding["old"]) == ("gone", gone)
    assert "missing-in-mirror" not in codes(said)[f"{repository}:1"]
    assert ("mirror has it" in finding["text"]) is mirrored


def test_a_pin_that_the_mirror_lacks_stops_at_once(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digest = upstream.image(repository, "1", created=ago(3))
    matrix({"box": (f"{upstream.host}/{repository}:1", digest)})
    call = ["--mirror", f"{mirror.host}/ngc"]

    code, said = ask(capsys, *call)
    patient, _ = ask(capsys, *call, "--max-lag", "14d")

    assert (code, patient) == (1, 0)
    assert codes(said) == {f"{repository}:1": ["missing-in-mirror"]}
    assert said["images"][0]["mirror"]["repository"] == f"{mirror.host}/ngc/{repository}"


def test_a_pin_written_by_the_mirrors_name(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Targets may pull from the mirror; what upstream has is looked up below its place."""
    digest = upstream.image(f"deep/{repository}", "1")
    matrix({"box": (f"{mirror.host}/copies/{repository}:1", digest)})

    code, said = ask(
        capsys, "--mirror", f"{mirror.host}/copies", "--upstream", f"{upstream.host}/deep"
    )

    assert code == 1
    assert codes(said) == {f"{repository}:1": ["gone", "missing-in-mirror"]}
    assert "upstream has it" in said["images"][0]["findings"][0]["text"]


def test_a_registry_that_is_down_is_no_evidence(
    upstream: Shelf, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is said to be missing where nobody answered."""
    upstream.image(repository, "a")
    down = f"127.0.0.1:{free_port()}"
    call = ["--repository", repository, "--upstream", upstream.host, "--mirror", down]

    code, said = ask(capsys, *call)

    assert code == 4
    assert "Connection refused" in said["unasked"][0]
    assert {finding["code"] for one in said["images"] for finding in one["findings"]} == {
        "not-asked"
    }


def test_a_page_for_the_jobs_summary(
    upstream: Shelf,
    sides: list[str],
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.image(repository, "a", created=ago(40))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n", encoding="utf-8")
    page = tmp_path / "new folder" / "page.md"
    call = [*sides, "--repository", repository, "--max-lag", "14d"]

    assert main(["images", "status", *call, "--markdown", str(page), "--summary"]) == 1

    text = page.read_text(encoding="utf-8")
    assert "1 of 1 images stop, 1 missing-in-mirror" in text
    assert f"| ✗ | `{repository}:a` |" in text
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "before\n" + text
    out = capsys.readouterr().out
    assert f"✗ {repository}:a" in out
    assert "40 days ago" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--repository", "Bad/Name", "--upstream", "nvcr.io"], "is no repository"),
        (["--repository", "a/b", "--upstream", "nvcr"], "is no registry"),
        (["--repository", "a/b", "--upstream", "ftp://nvcr.io"], "is no registry"),
        (["--repository", "a/b", "--upstream", "nvcr.io", "--max-lag", "soon"], "is no lag"),
        (["--repository", "a/b", "--upstream", "nvcr.io", "--ca", "no.pem"], "no.pem"),
        ([], "compat.toml"),
    ],
)
def test_a_wrong_call_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["images", "status", *words]) == 2

    assert said in capsys.readouterr().err


def test_a_wrong_lag_in_the_file(matrix: Matrix, capsys: pytest.CaptureFixture[str]) -> None:
    matrix({}, 'max-lag = "a while"')

    assert main(["images", "status"]) == 2
    assert "images.max-lag: a lag is a number and h, d or w" in capsys.readouterr().err
