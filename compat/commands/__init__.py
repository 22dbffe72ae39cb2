"""What each command of ``trt-compat`` does; the command line itself is ``compat.cli``."""
