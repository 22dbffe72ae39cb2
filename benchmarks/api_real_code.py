"""Scan published packages that use TensorRT for the very release each was made for.

    python benchmarks/api_real_code.py --work DIR

Each wheel is fetched from PyPI and read, not installed. For its own release a scan should find
nothing; for the later one it should find what is known to be gone. The packages are NVIDIA's own
Polygraphy and Torch-TensorRT, and Ultralytics, whose guards serve several majors.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from compat.api.scan import scan, upgrades

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


def main() -> int:
    """Print the counts; 1 where a package has a finding in its own release."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder to work in")
    parser.add_argument("--tell", action="store_true", help="print the findings in its own release")
    options = parser.parse_args()
    clean = True
    for pin, own, later in CASES:
        folder = fetched(pin, options.work)
        lines = sum(one.read_bytes().count(b"\n") for one in folder.rglob("*.py"))
        at_home = scan([folder], upgrades(own, own))
        beyond = scan([folder], upgrades(own, later))
        errors = sum(one.level == "error" for one in beyond)
        print(f"{pin:<24} {lines:>7} lines  {own}: {len(at_home)}  {own} -> {later}: {errors}")
        for one in at_home if options.tell else ():
            print(f"    {one.file}:{one.line} {one.message}")
        clean &= not at_home
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
