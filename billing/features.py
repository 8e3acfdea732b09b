"""The feature gates of billing (docs/feature-gates.md)."""

from milo.feature_gates import Gate, Stage, register

USAGE_INTAKE = "UsageIntake"
CHARGE_REPORTING = "ChargeReporting"
NOTICE_DELIVERY = "NoticeDelivery"
ARCHIVAL = "Archival"
PURGE = "Purge"
COMPLIANCE_ENFORCEMENT = "ComplianceEnforcement"
IGNORE, AUDIT, ENFORCE = "off", "audit", "enforce"

_GATES = (
    Gate(
        USAGE_INTAKE,
        Stage.GA,
        "Take usage events.",
        "POST of usage events is 503. Senders keep the events, and a repeat is counted once. Reports and exports stay.",
    ),
    Gate(
        CHARGE_REPORTING,
        Stage.GA,
        "Take charges of an external billing system.",
        "Reporting a charge is 503. Known charges are read and settled.",
    ),
    Gate(
        NOTICE_DELIVERY,
        Stage.GA,
        "Send the mails of the outbox.",
        "Notices are queued and none is sent. Once it is on again all that are due are sent, oldest first.",
    ),
    Gate(
        ARCHIVAL,
        Stage.GA,
        "Archive closed accounts on their day, and announce it.",
        "Closed accounts stay Closed. Once it is on again those that are due are archived.",
    ),
    Gate(
        PURGE,
        Stage.GA,
        "Remove personal data at the end of its retention, and announce it.",
        "Personal data stay longer than their retention. Once it is on again those that are due are purged.",
    ),
    Gate(
        COMPLIANCE_ENFORCEMENT,
        Stage.BETA,
        "Apply the regional rules to new and revised accounts.",
        "No rule is applied, and `Compliant` is absent after the next assessment. With `audit`, the condition"
        " `Compliant` and the drift report show what is broken, and nothing is refused or kept Incomplete.",
        default=ENFORCE,
        modes=(IGNORE, AUDIT, ENFORCE),
    ),
)


def register_gates() -> None:
    """Register the gates of billing."""
    register(*_GATES)
