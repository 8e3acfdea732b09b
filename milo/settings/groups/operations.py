"""How the processes are watched and operated."""

from dataclasses import dataclass

from milo.settings import values
from milo.settings.variables import variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Log lines, traces and feature gates."""

    log_format: str | None = variable(
        "MILO_LOG_FORMAT",
        values.choice("json", "console"),
        None,
        "The form of log lines: a JSON object each, or text for a terminal.",
        shown="json; console in development",
    )
    trace_export: str = variable(
        "MILO_TRACE_EXPORT",
        values.choice("none", "otlp"),
        "none",
        "Where spans of requests and tasks go: nowhere, or by OTLP over HTTP to where the `OTEL_` variables say"
        ' (docs/operating.md, "Logs").',
    )
    feature_gates: tuple[tuple[str, str], ...] = variable(
        "MILO_FEATURE_GATES",
        values.FEATURE_GATES,
        (),
        "Turns capabilities off and on: `UsageIntake=false,ComplianceEnforcement=audit` (docs/feature-gates.md).",
        shown="none: each has its default",
    )
