"""Nobody approves what they asked for, or changed."""

from collections.abc import Iterator

from soak import people
from soak.evidence import Evidence


def four_eyes(evidence: Evidence) -> Iterator[str]:
    """Look for approvals by the requester, by somebody who is no approver, and for acknowledged self-approvals."""
    approvers = {f"user:{name}" for name, groups in people.groups().items() if "finance-approver" in groups}
    statement = "SELECT name, requester, taken_over_by, decider FROM billing_approvalrequest WHERE phase = 'Approved'"
    for row in evidence.query(statement):
        if row["decider"] in (row["requester"], row["taken_over_by"]):
            yield f"{row['name']} was approved by {row['decider']}, who asked for it"
        if row["decider"] not in approvers:
            yield f"{row['name']} was approved by {row['decider']}, who is no approver"
