"""A worker of the fuzzers whose cases run `planted_command`; its second argument names the fault, not a seed."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[3])

    from scripts.verify.fuzz import run_case, worker
    from scripts.verify.fuzz.kinds import KINDS, Kind, Step

    class Planted(Kind):
        def __init__(self, folder):
            pass

        def write(self, rng, folder, *, damaged=True):
            (folder / "input").write_text("an input")
            return [Step("tests.scripts.verify.planted_command", (sys.argv[2],))]

    run_case.LIMIT_BYTES = 500 << 20  # more than this process has without a fault
    worker.rng_of = lambda kind, seed, case: None
    KINDS["planted"] = Planted
    worker.main(["planted", "0", *sys.argv[3:]])
