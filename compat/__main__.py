"""``python -m compat``: the same as the command ``trt-compat``."""

from compat.cli import main

raise SystemExit(main())
