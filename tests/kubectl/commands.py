"""kubectl of one person, whose answers a test reads."""

from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User

from tests.support.live import Live

ACCOUNT = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccount
metadata:
  name: asia
  labels: {region: asia}
spec:
  currencyCode: SGD
  paymentTerms: {netDays: 30, invoiceFrequency: Monthly, invoiceDayOfMonth: 1}
  paymentProfile: {creditCard: {cardReference: cc-13579}}
"""
BINDING = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccountBinding
metadata:
  name: web-to-eu
spec:
  projectRef: {name: web}
  billingAccountRef: {name: eu}
"""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl by one kubeconfig; a namespace is the one of its context unless the arguments say another."""

    live: Live
    config: Path

    @classmethod
    def of(cls, live: Live, person: User, namespace: str = "acme-corp") -> "Kubectl":
        return cls(live, live.kubeconfig(person, namespace))

    def __call__(self, *arguments: str, stdin: str = "", editor: str = "") -> str:
        """What a command that succeeds prints."""
        done = self.live.kubectl(self.config, *arguments, stdin=stdin, EDITOR=editor)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """What a command that fails says, and it must say it on the standard error."""
        done = self.live.kubectl(self.config, *arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)}: {done.stdout}"
        return done.stderr

    def table(self, *arguments: str) -> list[list[str]]:
        """The cells of a table in which none is empty or holds two spaces, less its header."""
        return [line.split() for line in self(*arguments, "--no-headers").splitlines()]
