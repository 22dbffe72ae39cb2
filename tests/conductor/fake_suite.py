"""Speaks the suite's protocol and does to each item what its `do` says."""

import json
import os
import signal
import sys
import time
from pathlib import Path

job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
events = Path(job["events"]).open("a", encoding="utf-8")  # noqa: SIM115 - until the end


def write(**event: object) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


if job["items"][0].get("do") == "never-start":
    print("ImportError: libnvinfer.so.8: cannot open shared object file")
    sys.exit(1)
write(event="session", at="", target={"version": "9.9.9"})
for item in job["items"]:
    write(event="started", at="", item=item["id"], round=item["round"])
    do = item.get("do", "ok")
    if do == "hang":
        time.sleep(600)
    if do == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if do == "exit":
        print("terminate called after throwing an instance of 'std::bad_alloc'")
        sys.exit(3)
    write(
        event="result",
        at="",
        item=item["id"],
        round=item["round"],
        key=item["key"],
        cell=item["cell"],
        numbers={},
        facts={"pid": os.getpid()},
        files={},
        started="",
        seconds=0.1,
        status="ok",
        reason="",
        message="",
    )
    if do == "die-behind":
        os.kill(os.getpid(), signal.SIGSEGV)
