"""Results of other tools beside ours: trtexec's times and profiles, Polygraphy's saved results.

A cross-check row has the fields of a record and stands in a file of its own, ``crosschecks.jsonl``
of an output folder. No judgement reads that file, so no verdict and no gate can rest on it.

::

    trtexec       what trtexec writes: times, profile, log
    polygraphy    what ``polygraphy run --save-outputs`` writes
    levelling     whether such a time may stand beside one of ours
    rows          the rows, and their file
    commands      the other way round: the calls that measure what an item of ours measured
"""
