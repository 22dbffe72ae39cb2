"""The root of every error that a user can mend.

::

    UserError
     +-- ConfigError       compat.toml is wrong, or missing
     +-- SelectionError    the command line names what the configuration does not hold
     +-- FolderError       a folder cannot be written to
     |    +-- FolderBusyError   another run is using it
     +-- ReportError       an output folder holds no run
     +-- RecordsError      the packed records of a report are damaged
     +-- ModelError        a model cannot be used (compat.models)
     +-- TargetError       a target's environment cannot be kept (compat.targets)
     +-- StartError        a first matrix cannot be written (compat.starting)
     +-- InterchangeError  another tool's file cannot be read (compat.interchange)
"""

from __future__ import annotations


class UserError(Exception):
    """Told without a stack trace, with exit code 2; the text names the way out."""
