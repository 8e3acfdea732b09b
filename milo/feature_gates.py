"""Feature gates: capabilities that an operator can turn off, or let only audit.

After https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/. An application registers a gate
for each capability and asks for its mode where the capability begins; `MILO_FEATURE_GATES` sets modes by name. The
gates are logged at start, listed by `/readyz?verbose`, and exported as `milo_feature_enabled`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

import structlog
from django.conf import settings
from django.utils.translation import gettext as _
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from milo.errors import Cause, Unavailable
from milo.metrics.declared import row_gauge
from milo.settings import checks

log = structlog.get_logger(__name__)
ON, OFF = "true", "false"
ENABLED = row_gauge("milo_feature_enabled", "Whether the capability of a feature gate is on", ("name", "stage"))


class Stage(StrEnum):
    """How mature a capability is: it may change or vanish (Alpha), will stay (Beta), or is proven (GA)."""

    ALPHA = "ALPHA"
    BETA = "BETA"
    GA = "GA"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate. `modes` are the accepted values; the first turns the capability off. `off` says what that means."""

    name: str
    stage: Stage
    meaning: str
    off: str
    default: str = ON
    modes: Sequence[str] = (OFF, ON)


class FeatureDisabled(Unavailable):
    """The capability that the request needs is turned off. Nothing has changed; it succeeds once it is on again."""

    retry_after_seconds = 300


_gates: dict[str, Gate] = {}


def register(*gates: Gate) -> None:
    """Register gates. Each application registers its own when it is loaded."""
    _gates.update({gate.name: gate for gate in gates})


def all_gates() -> list[Gate]:
    """Return the gates by name."""
    return [_gates[name] for name in sorted(_gates)]


def mode(name: str) -> str:
    """Return the mode of a registered gate, as set or by default."""
    return str(settings.MILO_FEATURE_GATES.get(name, _gates[name].default))


def enabled(name: str) -> bool:
    """Return whether the capability of a gate is on, if only to audit."""
    return mode(name) != _gates[name].modes[0]


def require(name: str) -> None:
    """Raise `FeatureDisabled` if the capability of a gate is off."""
    if not enabled(name):
        message = _("%(gate)s is turned off here by a feature gate; nothing has changed") % {"gate": name}
        raise FeatureDisabled(message, [Cause("", message, "FeatureDisabled")])


def log_modes() -> None:
    """Log the mode of each gate. Every process that serves or works does at its start."""
    log.info("feature_gates", **{gate.name: mode(gate.name) for gate in all_gates()})


def lines() -> Iterator[str]:
    """Yield a line for each gate, for `/readyz?verbose`."""
    for gate in all_gates():
        yield f"[i]feature-gate {gate.name}={mode(gate.name)} ({gate.stage})"


class FeatureCollector(Collector):
    """Exports each gate as Kubernetes does: `kubernetes_feature_enabled{name,stage}`."""

    def collect(self) -> Iterator[Metric]:
        yield ENABLED.of({(gate.name, gate.stage): float(enabled(gate.name)) for gate in all_gates()})


@checks.register("milo.E015")
def faults() -> Iterator[str]:
    """Yield a message for each gate that is not registered, and for each value that is none of its modes."""
    for name, value in settings.MILO_FEATURE_GATES.items():
        if (gate := _gates.get(name)) is None:
            near = get_close_matches(name, _gates, n=1, cutoff=0.5) or sorted(_gates)
            yield f"MILO_FEATURE_GATES names no feature gate {name!r}: did you mean {' or '.join(near)}?"
        elif value not in gate.modes:
            yield f"MILO_FEATURE_GATES must set {name} to {' or '.join(gate.modes)}, not {value!r}"
