"""Right and wrong on labelled items: pure functions over counts and predictions.

A share of right answers has Wilson's 95 % interval. Two predictions of the same items are compared
by the items where only one of them is right: McNemar's exact test says whether that could be
chance, and Bonett and Price's interval (Journal of Educational and Behavioral Statistics 37(4),
2012: one added to each count) says how large the loss may be; it has a width even where no item
differs, which Wald's has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

from numpy.typing import NDArray

from compat.analysis.results import Judgement

ALPHA: Final = 0.05
LIMIT: Final = "top1-loss"
CODE: Final = "top1-loss"
#: What a record carries of each comparison, so that it can be judged again without its files.
NAMES: Final = ("lost", "gained", "items")

_Z = 1.959963984540054  # 97.5 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two predictions of the same items: only the reference right, and only the other right."""

    items: int
    lost: int
    gained: int

    @property
    def loss(self) -> float:
        """How much lower the share of right answers is; negative where it rose."""
        return (self.lost - self.gained) / self.items

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the loss."""
        total = self.items + 2
        a, b = (self.lost + 1) / total, (self.gained + 1) / total
        reach = _Z * sqrt((a + b - (a - b) ** 2) / total)
        return a - b - reach, a - b + reach

    @property
    def p(self) -> float:
        """Probability of a split at least as uneven, if both were equally good."""
        return mcnemar(self.lost, self.gained)


def wilson(right: int, items: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 22, 1927)."""
    if items == 0:
        return 0.0, 1.0
    share, square = right / items, _Z**2
    middle = (share + square / (2 * items)) / (1 + square / items)
    reach = _Z / (1 + square / items)
    reach *= sqrt(share * (1 - share) / items + square / (4 * items**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided p value: the rarer kind of a fair coin thrown `lost + gained` times."""
    total = lost + gained
    if lost == gained:
        return 1.0
    # Whole numbers are exact at any size; the quotient is taken once.
    ways = tail = 1
    for k in range(min(lost, gained)):
        ways = ways * (total - k) // (k + 1)
        tail += ways
    return float(min(1.0, 2 * tail / 2**total))


def compare(
    found: NDArray[Any], reference: NDArray[Any], labels: NDArray[Any]
) -> Comparison | None:
    """Compare the best classes of two predictions; None where they are not of the same items."""
    if not len(found) == len(reference) == len(labels):
        return None
    ours, theirs = found == labels, reference == labels
    return Comparison(len(labels), int((theirs & ~ours).sum()), int((ours & ~theirs).sum()))


def judge(
    numbers: Mapping[str, Any],
    limit: float | None,
    golden: Comparison | None,
    current: Comparison | None,
) -> Judgement:
    """Judge one labelled check: against the golden predictions first, then the current version."""
    if golden is None:
        return Judgement("inconclusive", "no predictions to compare", code="no-outputs")
    if numbers.get("not_a_number"):
        text = f"{numbers['not_a_number']:.0f} items gave a score that is not a number"
        return Judgement("fail", text, code="nan")
    said = _share(numbers)
    if limit is None:
        return Judgement("info", said, code="no-limit")
    judged = [_against(golden, "golden fp32", limit)]
    if current is not None:
        judged.append(_against(current, "the current version", limit))
    worst = next((j for v in ("fail", "inconclusive") for j in judged if j.verdict == v), judged[0])
    return Judgement(worst.verdict, f"{said}; {worst.reason}", code=worst.code, worst=worst.worst)


def worse_than_current(current: Comparison | None, limit: float | None) -> bool:
    """Whether the loss against the current version alone is beyond the limit."""
    if current is None or limit is None:
        return False
    return _against(current, "the current version", limit).verdict == "fail"


def _share(numbers: Mapping[str, Any]) -> str:
    right, items = int(numbers.get("correct", 0)), int(numbers.get("n", 0))
    low, high = wilson(right, items)
    share = right / items if items else 0.0
    return f"top-1 {share:.2%} of {items:,} ({low:.2%} to {high:.2%})"


def _against(found: Comparison, what: str, limit: float) -> Judgement:
    low, high = found.interval
    said = (
        f"{found.loss:.2%} lost against {what} ({low:.2%} to {high:.2%}, McNemar p {found.p:.2g})"
    )
    if found.loss > limit and found.p <= ALPHA:
        text = f"{said}, beyond the {limit:.2%} allowed"
        return Judgement("fail", text, code=CODE, worst=found.loss)
    if high > limit:
        text = f"{said}, reaches across the {limit:.2%} allowed"
        return Judgement("inconclusive", text, code="top1-unclear", worst=found.loss)
    return Judgement("pass", said, worst=found.loss)
