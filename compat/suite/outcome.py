"""How an item can end other than ``ok``: one exception per status of a record.

::

    Outcome
     +-- Refused       TensorRT said no, in order
     +-- Failed        it broke, or produced something unusable
     +-- Unsupported   this version cannot express it
     +-- NotRun        it could not be tried here
"""


class Outcome(Exception):
    """An item's end: `status` and a stable `reason` code, with the exact text as message."""

    status = "failed"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Refused(Outcome):
    """The runtime refused in order."""

    status = "refused"


class Failed(Outcome):
    """The engine or its build broke."""

    status = "failed"


class Unsupported(Outcome):
    """This version cannot express what was asked."""

    status = "unsupported"


class NotRun(Outcome):
    """It could not be tried here; never to be read as a pass."""

    status = "not-run"
