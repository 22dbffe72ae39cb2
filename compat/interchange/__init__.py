"""Results of other tools beside ours: trtexec's times and profiles, Polygraphy's saved results.

A cross-check row has the fields of a record. Those of the run itself are made from its records;
those that were read in stand in a file of their own, ``crosschecks.jsonl`` of an output folder. The
page shows both, and this package is above the analysis: no verdict and no gate can rest on them.

::

    trtexec       what trtexec writes: times, profile, log
    polygraphy    what ``polygraphy run --save-outputs`` writes
    levelling     whether such a time may stand beside one of ours
    rows          the rows, and their file
    commands      the other way round: the calls that measure what an item of ours measured
"""
