"""The error of this package."""

from __future__ import annotations

from compat.errors import UserError


class InterchangeError(UserError):
    """A file of another tool cannot be read, or belongs to no item of the run."""
