"""Provider `container`: an image as a target, run by the command of Docker or Podman.

engine    finds the engine and asks it: what it is, which images it has, which containers
images    what a name stands for: id and digest; fetching it where the user allows that
launch    the arguments of one container: mounts, user, limits, GPUs, labels; and its end
owner     who started a container, and taking away what a dead conductor left behind
question  the script that an image's own Python answers: what is really inside
provider  all of it in order, to an Environment or an Unavailable
checkup   the same for `targets doctor`: looks, and makes nothing

Every call is an argument list to the engine's own command, never a shell and never its socket, so
that whatever the user has configured there (contexts, rootless, remote stores) holds here too.
"""

from __future__ import annotations

from compat.targets.containers.checkup import examine, pin_line
from compat.targets.containers.launch import Container, Launcher, Mounts
from compat.targets.containers.owner import sweep
from compat.targets.containers.provider import provide

__all__ = ["Container", "Launcher", "Mounts", "examine", "pin_line", "provide", "sweep"]
