"""A TensorRT upgrade, answered before it happens.

Floors, lowest first; a module imports only from its own floor or a lower one (a test holds it):
``suite`` < ``errors``, ``atomic``, ``prepared`` < ``engine``, ``api`` < ``config``, ``records`` <
``matrix`` < ``targets``, ``models``, ``images`` < ``analysis`` < ``interchange`` < ``report`` <
``settings``, ``conductor`` < ``workflow``, ``starting`` < ``bundle`` < ``commands``, ``cli``. This
file stays free of imports because the suite, which runs on Python 3.8 inside a target, is a package
below it.
"""

__version__ = "0.1.0"
