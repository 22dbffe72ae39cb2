"""The work of a phase, cut into units: what must stay on one GPU, and what may run beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from compat.matrix import Item

Weigh = Callable[[Sequence[Item]], float]

# Into how many units a slot's share of the checks is cut, so that the slots end together.
_PIECES = 6


@dataclass(frozen=True, slots=True)
class Block:
    """Items of one target and phase, in their order; of a benchmark, those of one round."""

    phase: str
    target: str
    round: int | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """Blocks that are done one after the other on one GPU."""

    title: str
    items: tuple[Item, ...]
    blocks: tuple[Block, ...]


def one_after_the_other(items: Sequence[Item], targets: Sequence[str], rounds: int) -> Unit:
    """Return items of one phase as one unit: target after target, a benchmark round by round.

    rounds: 0 where the phase has none.
    """
    turns: Sequence[int | None] = range(rounds) if rounds else (None,)
    blocks = (
        Block(mine[0].phase, target, turn, mine)
        for turn in turns
        for target in targets
        if (mine := tuple(item for item in items if item.runtime == target))
    )
    return Unit(items[0].model if items else "", tuple(items), tuple(blocks))


def side_by_side(
    items: Iterable[Item], targets: Sequence[str], rounds: int, weigh: Weigh, slots: int
) -> Iterator[Unit]:
    """Yield the units that items of one phase can be cut into, for a number of slots."""
    groups: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        groups[_together(item)].append(item)
    for group in _joined(list(groups.values()), weigh, slots):
        yield one_after_the_other(group, targets, rounds)


def in_order(
    found: Iterable[Unit],
    place: Callable[[Item], tuple[int, bool]],
    weigh: Weigh,
) -> list[Unit]:
    """Return units by the place of their first item, then the heaviest first.

    So no GPU is left alone with a long one at the end.
    """
    return sorted(found, key=lambda unit: (place(unit.items[0]), -weigh(unit.items)))


def _joined(groups: Sequence[list[Item]], weigh: Weigh, slots: int) -> Iterator[list[Item]]:
    """Yield groups, those of one runtime's checks as one as long as together they are light.

    A lean runtime refuses most engines within milliseconds; a job for each of its models would cost
    more than its checks.
    """
    weights = [weigh(group) for group in groups]
    most = sum(weights) / (slots * _PIECES)
    open_: dict[str, tuple[list[Item], float]] = {}
    for group, weight in zip(groups, weights, strict=True):
        runtime = group[0].runtime
        if group[0].phase != "check" or weight > most:
            yield group
            continue
        before, so_far = open_.pop(runtime, ([], 0.0))
        if before and so_far + weight > most:
            yield before
            before, so_far = [], 0.0
        open_[runtime] = ([*before, *group], so_far + weight)
    for left, _ in open_.values():
        yield left


def _together(item: Item) -> tuple[str, ...]:
    """Return what the items of one unit have in common."""
    if item.phase == "bench":  # what is compared with each other is of one model
        return (item.model,)
    if item.phase == "check":  # every engine is loaded once for all its checks; see _joined
        return item.runtime, item.model
    # A rebuild needs its build before it, and a variant gains from the timings of the plain build.
    return item.runtime, item.model, item.precision, item.typing
