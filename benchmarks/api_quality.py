"""Precision and recall of `trt-compat api scan` on a labelled corpus, and its speed.

    python benchmarks/api_quality.py [--corpus FOLDER] [--tell] [--speed]

The corpus stands in tests/api/corpus: snippets written by hand. A snippet begins with
``=== name | FROM -> TO [| file name]``; ``#! rule`` behind a line labels it. What the scanner was
mended by it knows: to see what it does on other code, write new snippets into a folder of their
own, measure them there once with ``--corpus``, and only then look at what was wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from compat.api.scan import scan, scan_text, upgrades

CORPUS = Path(__file__).parents[1] / "tests" / "api" / "corpus"
_LABEL = re.compile(r"\s*#! ([\w\- ]+)$")


@dataclass(frozen=True)
class Snippet:
    """Code with what a scan is to find in it."""

    name: str
    before: str
    after: str
    file: str
    text: str
    expected: tuple[tuple[int, str], ...]


def snippets(corpus: Path = CORPUS) -> Iterator[Snippet]:
    """Yield a corpus."""
    for path in sorted(corpus.glob("*.txt")):
        for part in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            head, _, body = part.partition("\n")
            name, versions, *file = (one.strip() for one in head.split("|"))
            before, _, after = versions.partition(" -> ")
            lines, expected = [], []
            for number, line in enumerate(body.rstrip("\n").split("\n"), 1):
                found = _LABEL.search(line)
                expected += [(number, rule) for rule in found[1].split()] if found else []
                lines.append(line[: found.start()] if found else line)
            text = "\n".join(lines) + "\n"
            yield Snippet(name, before, after, (file or ["a.py"])[0], text, tuple(expected))


def found(snippet: Snippet) -> list[tuple[int, str]]:
    """Return what the scanner says of a snippet."""
    between = upgrades(snippet.before, snippet.after)
    python = snippet.file.endswith(".py")
    return [
        (one.line, one.rule)
        for one in scan_text(snippet.text, snippet.file, between, python=python)
    ]


def measure(chosen: Sequence[Snippet], *, tell: bool = False) -> tuple[float, float, int]:
    """Return precision, recall and how many labels there are."""
    right = wrong = missed = 0
    for one in chosen:
        expected, got = Counter(one.expected), Counter(found(one))
        right += sum((expected & got).values())
        wrong += sum((got - expected).values())
        missed += sum((expected - got).values())
        if tell and expected != got:
            print(f"{one.name}: extra {dict(got - expected)}, missed {dict(expected - got)}")
    return right / max(right + wrong, 1), right / max(right + missed, 1), right + missed


def speed() -> tuple[int, float]:
    """Return how many lines were scanned in how many seconds of a core: the corpus, many times.

    Every file of it is about TensorRT; other files are passed over for a search in their bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = number = 0
        python = [one for one in snippets() if one.file.endswith(".py")]
        while lines < 100_000:
            # Files of about 300 lines, each snippet in a function of its own name.
            chosen = [python[(number * 7 + step) % len(python)] for step in range(20)]
            text = "".join(f"# {one.name}\n{one.text}\n" for one in chosen)
            text = text.replace("from __future__ import annotations\n", "")
            Path(folder, f"m{number}.py").write_text(text, encoding="utf-8")
            lines += text.count("\n")
            number += 1
        between = upgrades("8.6", "11")
        start = time.process_time()
        scan([Path(folder)], between)
        return lines, time.process_time() - start


def main() -> int:
    """Print the figures; 1 where they are below what the issue asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tell", action="store_true", help="name the snippets that differ")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder of snippets")
    parser.add_argument("--speed", action="store_true", help="time 100,000 lines, too")
    options = parser.parse_args()
    every = list(snippets(options.corpus))
    precision, recall, labels = measure(every, tell=options.tell)
    print(f"{len(every)} snippets, {labels} labels: precision {precision:.3f}  recall {recall:.3f}")
    good = precision >= 0.98 and recall >= 0.90
    if options.speed:
        lines, seconds = speed()
        print(f"speed     {lines} lines in {seconds:.2f} s of one core")
        good &= seconds < 10
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
