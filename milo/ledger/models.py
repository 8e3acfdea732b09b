"""Tables of the ledger: seals, salts of personal values, redactions, and results of checks."""

from django.db import models
from django.utils.translation import gettext_lazy

from milo.columns import Columns, fixed


class Seal(models.Model):
    """A link of the chain: digests of every row written since the previous seal.

    `tables` has for each table the keys `after` and `through` which its rows lie, their number, and the SHA-256 of
    their leaves. `leaves` has the leaves, by name of the table and then by key, each 8 bytes of the key (big endian)
    and 32 of the row's SHA-256.
    """

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(gettext_lazy("sealed at"))
    previous = models.CharField(max_length=64, blank=True)
    tables = models.JSONField()
    digest = models.CharField(max_length=64, unique=True)
    key_id = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    leaves = models.BinaryField()
    handed_over_at = models.DateTimeField(gettext_lazy("handed over at"), null=True)

    columns = Columns.of(
        fixed("seal_fixed", "number at previous tables digest key_id signature leaves"),
        fixed("seal_handover_fixed", "handed_over_at", once="OLD.handed_over_at IS NOT NULL"),
    )

    class Meta:
        verbose_name = gettext_lazy("seal")
        verbose_name_plural = gettext_lazy("seals")
        indexes = [
            # heads that the anchor lacks
            models.Index(fields=["number"], name="seal_to_hand_over", condition=models.Q(handed_over_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.number)


class Salt(models.Model):
    """The secret that protects the digests of a subject's personal values from guessing; destroyed with them."""

    subject = models.CharField(max_length=100, primary_key=True)
    key = models.BinaryField()

    columns = Columns.of(fixed("salt_fixed", "subject key"))

    def __str__(self) -> str:
        return self.subject


class Redaction(models.Model):
    """The digests, by column, of the personal values that were removed from one row."""

    table = models.CharField(max_length=63)
    row = models.BigIntegerField()
    subject = models.CharField(max_length=100)
    digests = models.JSONField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    why = models.TextField()

    columns = Columns.of(fixed("redaction_fixed", "id table row subject digests at actor why"))

    class Meta:
        constraints = [
            # a second redaction would have digests of the replacements
            models.UniqueConstraint(fields=["table", "row"], name="redaction_once"),
        ]
        indexes = [models.Index(fields=["subject"], name="redaction_of_subject")]

    def __str__(self) -> str:
        return f"{self.table} {self.row}"


class Inspection(models.Model):
    """The last run of a check of the ledger: instant, instant of the last run without findings, and findings.

    `place` says how far it came, in the form of the check, for one that reads only what is new.
    """

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)
    violations = models.PositiveIntegerField()
    message = models.TextField(blank=True)
    place = models.JSONField(null=True)

    def __str__(self) -> str:
        return self.name
