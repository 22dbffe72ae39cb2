"""Drive the suite: what is left to do, in which process, for how long, and what came of it."""
