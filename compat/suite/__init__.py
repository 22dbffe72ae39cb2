"""What runs inside a target: plain pytest on Python >= 3.8, importing nothing of the host side.

The host writes one job file per (target, phase) and starts ``python run.py JOB`` with the target's
own interpreter. Every finding is one line in the job's event file, on disk before the next item
starts, so a crash, a hang or a kill costs the item it hit and nothing else.
"""
