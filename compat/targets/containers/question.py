"""What an image's own Python is asked: which runtime, CUDA, cuDNN, Python, system is really there.

Nothing is taken from the image's name or tag. Where several places state a version, each answer is
kept under the place's name, the one to be believed first in front.
"""

from __future__ import annotations

MARK = "trt-compat-image "

# Speaks Python 2.7 and 3.x, so that an interpreter that is too old can say so. Arguments: the mark,
# then import names of the runtime, the first that is there counts.
SCRIPT = r"""
import ctypes, glob, json, os, platform, re, sys, sysconfig

def read(path):
    try:
        with open(path) as stream:
            return stream.read()
    except Exception:
        return ""

def quoted(text, key):
    found = re.search(r'^%s="?([^"\n]*)' % key, text, re.M)
    return found.group(1) if found else ""

def c_library():
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION")
        if name:
            return name
    except Exception:
        pass
    return "musl" if glob.glob("/lib/ld-musl-*") else ""

def distributions():
    try:
        from importlib import metadata
    except ImportError:
        return []
    named = [(one.metadata["Name"], one.version) for one in metadata.distributions()]
    return sorted(set("%s==%s" % (n.lower().replace("_", "-"), v) for n, v in named if n))

def runtime(names):
    facts = {"module": None, "version": None, "error": None}
    for name in names:
        try:
            module = __import__(name)
        except Exception as error:
            if getattr(error, "name", None) == name or str(error) == "No module named " + name:
                continue
            facts["error"] = "%s: %s: %s" % (name, type(error).__name__, error)
            return facts
        facts["module"] = name
        facts["version"] = str(getattr(module, "__version__", "")) or None
        return facts
    return facts

def packages():
    found = {}
    for block in read("/var/lib/dpkg/status").split("\n\n"):
        name = re.search(r"^Package: (\S+)", block, re.M)
        if not name or not re.match(r"libnvinfer\d+$|libcudnn\d|cuda-cudart-\d", name.group(1)):
            continue
        version = re.search(r"^Version: (?:\d+:)?([0-9.]+)", block, re.M)
        if version:
            found[name.group(1)] = version.group(1)
    return found

def from_packages(found, start):
    return next((found[name] for name in sorted(found) if name.startswith(start)), None)

def loaded(part):
    for line in read("/proc/self/maps").splitlines():
        path = line.split(None, 5)[-1] if line.count(" ") else ""
        if os.path.basename(path).startswith(part):
            return path
    return None

def library():
    path = loaded("libnvinfer.so")
    if path is None:
        return None
    try:
        parts = [getattr(ctypes.CDLL(path), "getInferLib%sVersion" % one)()
                 for one in ("Major", "Minor", "Patch", "Build")]
        return ".".join(str(one) for one in parts)
    except Exception:
        return None

def header():
    for path in glob.glob("/usr/include/*/NvInferVersion.h") + ["/usr/include/NvInferVersion.h"]:
        text = read(path)
        parts = [re.search(r"define (?:NV_TENSORRT|TRT)_%s(?:_ENTERPRISE)?\s+(\d+)" % one, text)
                 for one in ("MAJOR", "MINOR", "PATCH", "BUILD")]
        if all(parts):
            return ".".join(one.group(1) for one in parts)
    return None

def cuda():
    try:
        return str(json.loads(read("/usr/local/cuda/version.json"))["cuda"]["version"])
    except Exception:
        return None

def cudnn():
    for name in ("libcudnn.so.9", "libcudnn.so.8"):
        try:
            number = int(ctypes.CDLL(name).cudnnGetVersion())
        except Exception:
            continue
        large = 10000 if number >= 90000 else 1000
        return "%d.%d.%d" % (number // large, number % large // 100, number % 100)
    return None

def trtexec():
    folders = os.environ.get("PATH", "").split(":")
    folders += ["/usr/src/tensorrt/bin", "/opt/tensorrt/bin", "/workspace/tensorrt/bin"]
    paths = [os.path.join(one, "trtexec") for one in folders]
    return next((path for path in paths if os.access(path, os.X_OK)), None)

def driver():
    try:
        library, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
        code = library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(count))
        return {"gpus": count.value, "code": code}
    except Exception:
        return {"gpus": 0, "code": None}

def numpy():
    try:
        import numpy
        return str(numpy.__version__)
    except Exception:
        return None

def variable(name):
    found = re.match(r"[0-9.]+", os.environ.get(name, ""))
    return found.group(0) if found else None

debian = packages()
release = read("/etc/os-release")
facts = {
    "python": platform.python_version(), "implementation": platform.python_implementation(),
    "platform": sysconfig.get_platform(), "machine": platform.machine(),
    "os": quoted(release, "PRETTY_NAME"), "libc": c_library(), "distributions": distributions(),
    "trtexec": trtexec(), "numpy": numpy(), "driver": driver(),
}
facts.update(runtime(sys.argv[2:]))
facts["tensorrt"] = {"library": library(), "packages": from_packages(debian, "libnvinfer"),
                     "header": header(), "variable": variable("TRT_VERSION")}
facts["cuda"] = {"version.json": cuda(), "packages": from_packages(debian, "cuda-cudart"),
                 "variable": variable("CUDA_VERSION")}
facts["cudnn"] = {"library": cudnn(), "packages": from_packages(debian, "libcudnn"),
                  "variable": variable("CUDNN_VERSION")}
sys.stdout.write("\n" + sys.argv[1] + json.dumps(facts) + "\n")
sys.stdout.flush()
os._exit(0)
"""
