"""What an item takes: resident memory by the kernel's own high-water mark, and device memory."""

import ctypes
from typing import Callable, Optional


def reset_peak() -> None:
    """Set this process's high-water mark back to what it uses now (Linux >= 4.0).

    What earlier items freed is given back to the kernel first, or it would count as used.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc's
        libc.malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
            stream.write("5")
    except OSError:
        # Some containers mount /proc read-only; the mark then covers the whole process.
        return


def peak_rss_bytes() -> Optional[int]:
    """Return the high-water mark in bytes, or None where the kernel does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
            for line in stream:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


class DeviceUse:
    """What has left a device's free memory since this object was made.

    The device tells one figure for all its users, so another process counts too: the GPU must be
    ours alone. What a library loads once per process (kernels, handles of cuBLAS) counts with the
    first engine that needs it.

    Args:
        free: returns the free bytes of the device; the CUDA context must exist already.
    """

    def __init__(self, free: Callable[[], int]) -> None:
        self._free = free
        self._before = self._least = free()

    def look(self) -> int:
        """Return the bytes between the beginning and the least free memory seen by any look."""
        self._least = min(self._least, self._free())
        return self._before - self._least
