"""What can go wrong while registries are asked.

::

    UserError
     +-- ImagesError       the call, a reference or a login file is wrong
    RegistryError          a registry gave no usable answer: no evidence either way
     +-- DeniedError       it asks for another login
     +-- UnreachableError  no connection, or it would not answer now
"""

from __future__ import annotations

from compat.errors import UserError


class ImagesError(UserError):
    """The call, an image reference or a file with logins is wrong."""


class RegistryError(Exception):
    """A registry gave no usable answer; the text never holds what a server wrote in prose."""


class DeniedError(RegistryError):
    """The registry refuses this login, or wants one."""


class UnreachableError(RegistryError):
    """The registry cannot be reached, or tells us to come back later."""
