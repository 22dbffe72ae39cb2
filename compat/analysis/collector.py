"""Python's cyclic collector, held still while many thousand records are read or shown.

Records and rows hold no cycles, but every few thousand new ones make the collector walk all the
others: with 100,000 records that is a quarter of the whole time (benchmarks/compile_records.py).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Hold the collector still inside the block; leave it as it was before."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
