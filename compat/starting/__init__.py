"""A first ``compat.toml`` and ``noxfile.py`` for a user's own repository.

::

    onnxfiles       which ONNX files lie there, and what each one holds
    surroundings    what this machine has: GPU and driver, Docker or Podman, TensorRT
    proposals       which targets follow from that
    draft           the text of ``compat.toml``, every line of it commented
    session         the text of ``noxfile.py``
    writing         both files, never over what stands there
"""
