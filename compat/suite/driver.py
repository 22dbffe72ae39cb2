"""What this machine's NVIDIA driver says, through ``libcuda.so.1`` and nothing else."""

import ctypes
import os
from typing import List, NamedTuple, Optional

_DEVICE_NAME_BYTES = 256
_NOT_INITIALIZED = 3  # CUDA_ERROR_NOT_INITIALIZED, cuda.h
_MAJOR_ATTRIBUTE = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, cuda.h
_MINOR_ATTRIBUTE = 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, cuda.h


class Gpu(NamedTuple):
    """One device: its name and compute capability such as ``sm_90``."""

    name: str
    arch: str


class Driver(NamedTuple):
    """The driver as found; `problem` is empty only where a device can be used."""

    cuda: Optional[str]
    gpus: List[Gpu]
    problem: str


def probe() -> Driver:
    """Ask the driver library for its CUDA version and its devices.

    Never raises: a machine without driver or device is described by `problem`.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Driver(None, [], "no CUDA driver (libcuda.so.1 is not on this machine)")
    code = cuda.cuInit(0)
    if code != 0:
        return Driver(None, [], "CUDA driver does not start (cuInit returned %d)" % code)
    version = ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    text = "%d.%d" % (version.value // 1000, version.value % 1000 // 10)
    count = ctypes.c_int()
    cuda.cuDeviceGetCount(ctypes.byref(count))
    gpus = [_describe(cuda, index) for index in range(count.value)]
    return Driver(text, gpus, "" if gpus else "the CUDA driver sees no GPU")


def is_started() -> bool:
    """Tell whether anything has started CUDA in this process, which then cannot be forked."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1", mode=os.RTLD_NOLOAD)
    except OSError:
        return False  # nobody has even loaded it
    return bool(cuda.cuCtxGetCurrent(ctypes.byref(ctypes.c_void_p())) != _NOT_INITIALIZED)


def _describe(cuda: ctypes.CDLL, index: int) -> Gpu:
    device = ctypes.c_int()
    cuda.cuDeviceGet(ctypes.byref(device), index)
    name = ctypes.create_string_buffer(_DEVICE_NAME_BYTES)
    cuda.cuDeviceGetName(name, _DEVICE_NAME_BYTES, device)
    major, minor = ctypes.c_int(), ctypes.c_int()
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR_ATTRIBUTE, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR_ATTRIBUTE, device)
    return Gpu(name.value.decode("utf-8", "replace"), "sm_%d%d" % (major.value, minor.value))
