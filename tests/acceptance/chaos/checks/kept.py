"""What is kept: the log's chain, and nothing that went wrong on the way."""

from __future__ import annotations

from tests.acceptance.chaos.checks.finding import Check
from tests.acceptance.chaos.evidence import Evidence


def chain_verifies(evidence: Evidence) -> Check:
    """As `manage.py verify_log` sees it."""
    found = evidence.chain
    problems = [str(finding) for finding in found["findings"]]
    if not found["verified"] and not problems:
        problems = ["verify_log says no"]
    return Check("the log's chain verifies", f"{found['entries']} entries of {found['streams']} streams", problems)


def rounds_went_well(evidence: Evidence) -> Check:
    """Everything recovered, no process ended by itself, and the client could do what it does."""
    return Check("everything recovers by itself", f"{len(evidence.blows)} acts", evidence.troubles)
