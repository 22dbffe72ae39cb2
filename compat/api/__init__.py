"""TensorRT's Python API over its releases, and the user's code against it.

``upgrades(before, after)`` gives the surfaces, ``scan(paths, upgrades)`` the findings.
"""
