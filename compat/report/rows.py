"""The result table by row, without the cost of a pandas row for each of many thousand items."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import isnan
from typing import Any

import pandas as pd

Cell = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the table; a column that does not exist reads as NaN."""

    columns: Mapping[str, list[Any]]
    index: int

    def text(self, column: str) -> str:
        """A text column."""
        value: str = self.columns[column][self.index]
        return value

    def number(self, column: str) -> float | None:
        """A numeric column; None where it was not measured."""
        values = self.columns.get(column)
        value = None if values is None else values[self.index]
        return None if value is None or isnan(value) else float(value)

    @property
    def cell(self) -> Cell:
        """Builder, runtime, model, precision, typing, variant."""
        c, i = self.columns, self.index
        return (
            c["builder"][i], c["runtime"][i], c["model"][i],
            c["precision"][i], c["typing"][i], c["variant"][i],
        )  # fmt: skip

    @property
    def ran(self) -> bool:
        """Whether the item was tried inside its target."""
        return bool(self.columns["ran"][self.index])


def rows(table: pd.DataFrame) -> Iterator[Row]:
    """Iterate over the items in plan order."""
    columns = {str(name): table[name].tolist() for name in table.columns}
    return (Row(columns, index) for index in range(len(table)))


def kind(cell: Cell) -> str:
    """Precision with its typing and variant, as ``fp16 strong``."""
    _, _, _, precision, typing, variant = cell
    return " ".join([precision, typing, *([] if variant == "plain" else [variant])])


@lru_cache(maxsize=65_536)
def anchor(cell: Cell) -> str:
    """A fragment that is unique per cell and needs no escaping, whatever the names hold."""
    plain = "/".join(cell)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(cell))
    exact = all(re.fullmatch(r"[A-Za-z0-9._-]+", part) for part in cell)
    return f"cell-{name}" if exact else f"cell-{name}-{sha256(plain.encode()).hexdigest()[:8]}"
