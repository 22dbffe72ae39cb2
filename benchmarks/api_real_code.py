"""Scan published code that uses TensorRT for the very release it was made for, and for later ones.

    python benchmarks/api_real_code.py --work DIR
    python benchmarks/api_real_code.py --samples DIR --from 8.6.1 --to 10.16 11

For its own release a scan should find nothing; for a later one it should find what is known to be
gone. Without --samples the code is that of packages, NVIDIA's own Polygraphy and Torch-TensorRT,
and Ultralytics, whose guards serve several majors: each wheel is fetched from PyPI and read, not
installed. With it the code is a folder: NVIDIA's samples, from a checkout of
https://github.com/NVIDIA/TensorRT at the tag of the release given as --from.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from compat.api.findings import Finding
from compat.api.scan import files, scan, scan_file, upgrades

# Package, the release it was made for (by its own requirements), a later one.
CASES = (
    ("torch-tensorrt==1.4.0", "8.6.1", "10.16"),
    ("torch-tensorrt==2.2.0", "8.6.1", "10.16"),
    ("polygraphy==0.48.1", "8.6.1", "10.16"),
    ("polygraphy==0.49.26", "10.16", "11"),
    ("polygraphy==0.53.6", "10.16", "11"),
    ("ultralytics==8.3.0", "8.6.1", "11"),
)


def fetched(pin: str, work: Path) -> Path:
    """Return the folder of a wheel's contents."""
    folder = work / pin
    if not folder.exists():
        wheels = work / "wheels" / pin
        wheels.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        argv += ["--python-version", "3.10", "--quiet", "--dest", str(wheels), pin]
        subprocess.run(argv, check=True)
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
            names = [one for one in archive.namelist() if one.endswith(".py")]
            archive.extractall(folder, names)
    return folder


def packages(work: Path, *, tell: bool) -> bool:
    """Print the counts of each package; return whether all were clean in their own release."""
    clean = True
    for pin, own, later in CASES:
        folder = fetched(pin, work)
        lines = sum(one.read_bytes().count(b"\n") for one in folder.rglob("*.py"))
        at_home = scan([folder], upgrades(own, own))
        beyond = scan([folder], upgrades(own, later))
        print(
            f"{pin:<24} {lines:>7} lines  {own}: {len(at_home)}  {own} -> {later}: {breaks(beyond)}"
        )
        for one in at_home if tell else ():
            print(f"    {one.file}:{one.line} {one.message}")
        clean &= not at_home
    return clean


def samples(folder: Path, own: str, later: Sequence[str], *, tell: bool) -> bool:
    """Print what breaks in each file of a folder; return whether none does in its own release."""
    every = list(files([folder]))
    steps = {one: upgrades(own, one) for one in (own, *later)}
    total: Counter[str] = Counter()
    for path in every:
        found = {release: scan_file(path, step) for release, step in steps.items()}
        # A warning counts in the own release only: later ones are asked what breaks.
        counts = {release: breaks(got) for release, got in found.items()} | {own: len(found[own])}
        total.update(counts)
        if any(counts.values()):
            told = "  ".join(f"{release}: {number}" for release, number in counts.items())
            print(f"{path.relative_to(folder).as_posix():<64} {told}")
        for release, got in found.items() if tell else ():
            for one in got:
                print(f"    {release}  line {one.line}  {one.rule}  {one.symbol}  {one.message}")
    told = "  ".join(f"{release}: {total[release]}" for release in steps)
    print(f"{f'{len(every)} files of {own}':<64} {told}")
    return not total[own]


def breaks(found: Sequence[Finding]) -> int:
    """Return how many of the findings are errors."""
    return sum(one.level == "error" for one in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts; 1 where code has a finding in its own release."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--work", type=Path, help="scan packages; a folder to fetch them into")
    chosen.add_argument("--samples", type=Path, help="scan a folder: a checkout of NVIDIA/TensorRT")
    parser.add_argument("--from", dest="own", metavar="RELEASE", help="the release of the samples")
    parser.add_argument("--to", nargs="+", default=[], metavar="RELEASE", help="later releases")
    parser.add_argument("--tell", action="store_true", help="print the findings, too")
    options = parser.parse_args(arguments)
    if options.work:
        return 0 if packages(options.work, tell=options.tell) else 1
    if not options.own:
        parser.error("--samples needs --from: the release that the samples are of")
    if not options.samples.is_dir():
        parser.error(f"--samples {options.samples}: no such folder")
    return 0 if samples(options.samples, options.own, options.to, tell=options.tell) else 1


if __name__ == "__main__":
    sys.exit(main())
