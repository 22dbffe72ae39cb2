"""A TensorRT upgrade, answered before it happens.

Floors, lowest first; a module imports only from its own floor or a lower one:
``suite`` < ``records``, ``matrix`` < ``targets``, ``engine``, ``models`` < ``analysis`` <
``interchange`` < ``report`` < ``conductor``, ``workflow``, ``cli``. This file stays free
of imports because the suite, which runs on Python 3.8 inside a target, is a package below it.
"""

__version__ = "0.1.0"
