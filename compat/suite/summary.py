"""What a series of times comes to: the numbers of every latency, whoever measured it."""

from typing import Dict

import numpy as np


def describe(samples: np.ndarray, batch: int) -> Dict[str, float]:
    """Summarise seconds. Percentile p is the sample at n-1-floor((1-p)*n), as in trtexec."""
    ordered = np.sort(samples)
    count = len(ordered)

    def percentile(share: float) -> float:
        return float(ordered[count - 1 - int((1 - share) * count)])

    median = float(np.median(ordered))
    return {
        "median_s": median,
        "mean_s": float(np.mean(ordered)),
        "std_s": float(np.std(ordered, ddof=1)) if count > 1 else 0.0,
        "min_s": float(ordered[0]),
        "p95_s": percentile(0.95),
        "p99_s": percentile(0.99),
        "n": count,
        "throughput_per_s": batch / median,
    }
