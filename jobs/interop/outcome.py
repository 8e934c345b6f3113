"""Runs checks and prints one line for each: PASS, FAIL or SKIP, its name, and its result."""

import sys


class Skip(Exception):
    """Raised by a check that cannot run here."""


def run(checks):
    failed = False
    for name, check in checks.items():
        try:
            print(f"PASS {name}: {check() or 'ok'}", flush=True)
        except Skip as reason:
            print(f"SKIP {name}: {reason}", flush=True)
        except Exception as problem:
            failed = True
            print(f"FAIL {name}: {type(problem).__name__}: {problem}", flush=True)
    sys.exit(1 if failed else 0)


def expect(holds, message):
    if not holds:
        raise AssertionError(message)
