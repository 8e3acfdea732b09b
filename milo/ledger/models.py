"""What proves the ledger: seals, the salts of personal values, and what is left of those that were purged."""

from django.db import models
from django.utils.translation import gettext_lazy

from milo.columns import Columns, fixed


class Seal(models.Model):
    """A link of the chain: digests of every row written since the one before.

    `tables` says for each table the key after which its rows begin, the key through which they go, how many they
    are, and the SHA-256 of their leaves. `leaves` has those: table by table in the order of their names, row by row
    in the order of their keys, each 8 bytes of the key (big endian) and 32 of the row's SHA-256.
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
            # what a place outside the database has yet to be given
            models.Index(fields=["number"], name="seal_to_hand_over", condition=models.Q(handed_over_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.number)


class Salt(models.Model):
    """The secret that keeps the digests of a subject's personal values from being guessed; destroyed with them."""

    subject = models.CharField(max_length=100, primary_key=True)
    key = models.BinaryField()

    columns = Columns.of(fixed("salt_fixed", "subject key"))

    def __str__(self) -> str:
        return self.subject


class Redaction(models.Model):
    """What the chain knows of the personal values of one row that are gone: their digests, by column."""

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
            # the digests of what has gone already would be those of nothing
            models.UniqueConstraint(fields=["table", "row"], name="redaction_once"),
        ]
        indexes = [models.Index(fields=["subject"], name="redaction_of_subject")]

    def __str__(self) -> str:
        return f"{self.table} {self.row}"


class Inspection(models.Model):
    """The last run of a check of the ledger: when, when it last found nothing, and what it found."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)
    violations = models.PositiveIntegerField()
    message = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name
