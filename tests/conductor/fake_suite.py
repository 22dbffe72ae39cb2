"""Speaks the suite's protocol and does to each item what its `do` says, or FAKE_DO for its id.

With ``--stay`` it waits for further jobs, as the suite does; FAKE_FREE is the free part of its GPU.
"""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2]))
from compat.suite.manifest import store

asked = json.loads(os.environ.get("FAKE_DO", "{}"))


def doable(items: list[dict[str, Any]], waited: bool) -> list[dict[str, Any]]:
    do = items[0].get("do")
    if do == "never-start":
        print("ImportError: libnvinfer.so.8: cannot open shared object file")
        sys.exit(1)
    if do == "die-called" and waited:
        os.kill(os.getpid(), signal.SIGKILL)
    return [] if do == "start-none" else items


def work(waited: bool = False) -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    events = Path(job["events"]).open("a", encoding="utf-8")  # noqa: SIM115 - until the end

    def write(**event: object) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    items = doable(job["items"], waited)
    write(event="session", at="", target={"version": "9.9.9"})
    for item in items:
        write(event="started", at="", item=item["id"], round=item["round"])
        started, begin = datetime.now(UTC).isoformat(), time.monotonic()
        do = item.get("do") or asked.get(item["id"], "ok")
        if do == "slow":
            time.sleep(0.5)
        if do == "hang":
            time.sleep(600)
        if do == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if do == "exit":
            print("terminate called after throwing an instance of 'std::bad_alloc'")
            sys.exit(3)
        facts = {"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
        files = {}
        if item["check"] == "build":
            engine = Path(job["work"], item["engine"])
            facts["engine_sha256"] = store(str(engine), b"engine", {})["sha256"]
            files["engine"] = item["engine"]
        facts |= {"begin": begin, "end": time.monotonic()}
        write(
            event="result",
            at="",
            item=item["id"],
            round=item["round"],
            key=item["key"],
            cell=item["cell"],
            numbers=dict.fromkeys(
                ("build_s", "engine_bytes", "identical", "load_s", "run_s", "median_s", "n"), 1
            ),
            facts=facts,
            files=files,
            started=started,
            seconds=0.1,
            status="failed" if do == "fail" else "ok",
            reason="",
            message="",
        )
        if do == "die-behind":
            os.kill(os.getpid(), signal.SIGSEGV)
    free = os.environ.get("FAKE_FREE")
    left = {
        "free_device_share": float(free) if free else None,
        "is_spent": "FAKE_SPENT" in os.environ,
    }
    write(event="end", at="", code=0, **left)
    events.close()


work()
while sys.argv[2:] == ["--stay"] and sys.stdin.readline():
    work(waited=True)
