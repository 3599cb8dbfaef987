"""Sends damaged bodies to every endpoint of a real server, which has to answer each of them in its own words.

python -m tests.server.mutations --bodies 1500 --seed 1
python -m tests.server.mutations --bodies 50000 --seed 2 --clients 8 --keep-log server.log -- --kv-unified
"""

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.server.mutations.campaign import Campaign, Report
from tests.server.mutations.subject import running_subject


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("mutations", None, __doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bodies", type=int, default=1500, help="how many are sent")
    parser.add_argument("--seed", type=int, default=1, help="the bodies follow from it")
    parser.add_argument("--first", type=int, default=0, help="number of the first body, to send some of a run again")
    parser.add_argument("--clients", type=int, default=4, help="how many send at the same time")
    parser.add_argument("--keep-log", type=Path, help="where the server's log is copied to")
    parser.add_argument("flags", nargs="*", help="further flags of the server, after --")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    with TemporaryDirectory(prefix="mutations-") as name, running_subject(Path(name), options.flags) as program:
        try:
            campaign = Campaign(program, Path(name), options.seed, options.clients)
            report = campaign.run(range(options.first, options.first + options.bodies))
        finally:
            if options.keep_log:
                shutil.copy(Path(name) / "log", options.keep_log)
    print_report(report)
    return 1 if report.problems else 0


def print_report(report: Report) -> None:
    for problem in report.problems:
        print(f"\n{problem}")
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(report.statuses.items()))
    print(f"\n{report.statuses.total()} bodies to {report.n_operations} endpoints: {statuses}.")
    print(f"The slowest answer took {report.slowest:.1f} s: {report.slowest_case}.")
    print(f"Memory after half of them {report.mib_at_half} MiB, at the end {report.mib_at_end} MiB.")
    print(f"{len(report.problems)} problems.")


if __name__ == "__main__":
    sys.exit(main())
