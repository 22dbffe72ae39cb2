"""The one exception of this package."""

from __future__ import annotations

from compat.errors import UserError

__all__ = ["ModelError"]


class ModelError(UserError):
    """A model or its data cannot be used; the message names the file and the way out.

    `reason` is a stable code for records and tests, for example "missing-file", "truncated",
    "lfs-pointer", "axis-missing" or "hub-offline".
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[ModelError], tuple[str, str]]:
        """Come back whole out of another process."""
        return type(self), (self.reason, str(self))
