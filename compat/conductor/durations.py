"""What each item took the last time, so that the longest begins first and no GPU waits for it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compat.atomic import write_text
from compat.matrix import Item

#: Below the work folder; there it travels with the timing caches, which shorten builds as well.
FILE = Path("caches", "durations.json")
_TELLING = ("ok", "refused", "failed", "timeout")


class Durations:
    """Seconds by item, as an earlier run over this work folder or a stored one left them.

    They decide an order and nothing else: a file that cannot be read is an empty one. Quick runs
    keep out of it, their models are smaller.
    """

    def __init__(self, work: Path) -> None:
        self._path = work / FILE
        self._seconds: dict[str, float] = {}
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._seconds = {str(name): float(seconds) for name, seconds in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return

    def weigher(
        self, items: Iterable[Item], size: Callable[[Item], float]
    ) -> Callable[[Sequence[Item]], float]:
        """Return what weighs items of one phase: their seconds, or what their size lets expect.

        Args:
            items: all of the phase.
            size: of an item, in any unit: what is not known takes as long for its size as the
                median of what is.
        """
        sizes = {item.id: size(item) for item in items}
        known = [
            self._seconds[name] / one
            for name, one in sizes.items()
            if one > 0 and name in self._seconds
        ]
        rate = statistics.median(known) if known else 1.0

        def weigh(some: Sequence[Item]) -> float:
            return sum(self._seconds.get(item.id, rate * sizes[item.id]) for item in some)

        return weigh

    def learn(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take over what these took, and keep it for the next run."""
        for record in records:
            if record["status"] in _TELLING:
                self._seconds[record["item"]] = round(record["seconds"], 2)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._path, json.dumps(self._seconds, indent=0, sort_keys=True) + "\n")
