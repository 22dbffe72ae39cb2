"""Container images in an upstream registry and in a mirror: what each has, and copying the rest.

Standing on `errors`, `config` and `records` alone. The way through: `route` (what lies where),
`survey` (facts, asked of `registry`), `judge` (what they mean), `plan` and `copying`, `summary`.
"""

from compat.images.copying import Outcome, Tool, carry_out, find_tool
from compat.images.errors import ImagesError, RegistryError
from compat.images.judge import Judged, exit_code, judge, parse_lag
from compat.images.plan import Plan, plan_copies
from compat.images.reference import parse_place
from compat.images.route import Pair, Pin, Route, pins
from compat.images.survey import Survey, Surveyor, Wish

__all__ = [
    "ImagesError",
    "Judged",
    "Outcome",
    "Pair",
    "Pin",
    "Plan",
    "RegistryError",
    "Route",
    "Survey",
    "Surveyor",
    "Tool",
    "Wish",
    "carry_out",
    "exit_code",
    "find_tool",
    "judge",
    "parse_lag",
    "parse_place",
    "pins",
    "plan_copies",
]
