"""Service users, credentials (tokens, password links, identities at a provider) and log-ins."""

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy

from milo import audit, provenance
from milo.columns import Columns, fixed
from milo.identity import histories
from milo.word_indexes import WordIndex

PREFIX = "milo_"


def digest(secret: str) -> str:
    """Return the SHA-256 in hexadecimal. A random secret of 256 bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """Return a random bearer secret of 256 bits, `milo_...`. Only its digest is stored."""
    return PREFIX + secrets.token_urlsafe(32)


class ServiceUser(models.Model):
    """Marks a user as a program: without a password, without access to the staff site, without decisions on approvals.

    A separate row, created with the user and never deleted. A role would not do: it could be granted to a person, and
    others could then issue tokens of that person.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="service_user")
    description = models.CharField(gettext_lazy("description"), max_length=200, blank=True)

    columns = Columns.of(fixed("service_user_fixed", "user_id"), free="description", texts="description")
    history = audit.history(organization="")

    class Meta:
        verbose_name = gettext_lazy("service user")
        verbose_name_plural = gettext_lazy("service users")

    def __str__(self) -> str:
        return str(self.user)


class PasswordLink(models.Model):
    """A request that a person set their password. `used_at` is when they did. The link itself is not stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="password_links")
    requested_by = models.CharField(gettext_lazy("requested by"), max_length=200)
    requested_at = models.DateTimeField(gettext_lazy("requested at"), default=timezone.now)
    used_at = models.DateTimeField(gettext_lazy("used at"), null=True)

    columns = Columns.of(
        fixed("password_link_fixed", "id user_id requested_by requested_at"),
        fixed("password_link_used_once", "used_at", once="OLD.used_at IS NOT NULL"),
    )
    # one order with the history of the user: it decides whether an address or password was set before or after a link
    history = audit.history(organization="", time_line="user")

    class Meta:
        verbose_name = gettext_lazy("password link")
        verbose_name_plural = gettext_lazy("password links")

    def __str__(self) -> str:
        return f"{self.user} ({self.requested_by})"


class ServiceTokenQuerySet(models.QuerySet["ServiceToken"]):
    def valid(self) -> "ServiceTokenQuerySet":
        """Filter tokens that are not revoked, not expired, and of an active user."""
        # the clock of the database, so that the compiled query stays correct when it is reused
        unexpired = Q(expires_at=None) | Q(expires_at__gt=Now())
        return self.filter(unexpired, revoked_at=None, user__is_active=True)


class ServiceToken(models.Model):
    """A bearer token of a user. `hint` is the start of the secret, by which people recognize it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="service_tokens")
    description = models.CharField(gettext_lazy("description"), max_length=200, blank=True)
    hint = models.CharField(gettext_lazy("begins with"), max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)
    scopes = models.JSONField(
        gettext_lazy("scopes"),
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "The resources (plural) it may change, as far as its user may; empty for all, [] to read only."
        ),
    )
    expires_at = models.DateTimeField(gettext_lazy("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(gettext_lazy("revoked at"), null=True, editable=False)
    last_used_at = models.DateTimeField(gettext_lazy("last used at"), null=True, editable=False)

    # a changed user or end would admit somebody to whom nobody has issued the token
    columns = Columns.of(
        fixed("token_fixed", "id user_id hint digest created_at scopes expires_at"),
        fixed("token_revoked_once", "revoked_at", once="OLD.revoked_at IS NOT NULL"),
        free="description last_used_at",
        texts="description",
    )
    history = audit.history(unrecorded=("last_used_at",), organization="")
    objects = ServiceTokenQuerySet.as_manager()

    # a digest is random, so one in many looks like a card number
    opaque_columns = frozenset({"digest"})

    class Meta:
        verbose_name = gettext_lazy("service token")
        verbose_name_plural = gettext_lazy("service tokens")
        indexes = [
            # filters and searches of the staff site
            models.Index(fields=["id"], name="token_revoked", condition=Q(revoked_at__isnull=False)),
            models.Index(fields=["id"], name="token_expires", condition=Q(expires_at__isnull=False)),
            WordIndex(words=["hint", "description"], name="token_words"),
        ]

    def __str__(self) -> str:
        return f"{self.hint}… ({self.user})"


class Identity(models.Model):
    """A person at an OpenID Connect provider. The provider never reassigns a subject to another person."""

    # identifiers of another system, which may look like card numbers
    opaque_columns = frozenset({"issuer", "subject"})

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="identities")
    issuer = models.CharField(gettext_lazy("issuer"), max_length=255, editable=False)
    subject = models.CharField(gettext_lazy("subject"), max_length=255, editable=False)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)

    columns = Columns.of(fixed("identity_fixed", "id user_id issuer subject created_at"))
    history = audit.history(organization="")

    class Meta:
        verbose_name = gettext_lazy("identity")
        verbose_name_plural = gettext_lazy("identities")
        constraints = [
            # stops two first requests at once from mapping one subject to two users
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_is_one_person")
        ]
        # searches of the staff site
        indexes = [WordIndex(words=["subject"], name="identity_words")]

    def __str__(self) -> str:
        return f"{self.subject} ({self.issuer})"


class LogIn(models.Model):
    """An attempt to log in to the staff site, or a log-out. Rows are append-only and sealed.

    `name` is "" for an unknown user, because the text may be a password typed into the wrong field. `address` is the
    network only: the first 24 bits of IPv4, the first 48 of IPv6.
    """

    class Outcome(models.TextChoices):
        SUCCEEDED = "Succeeded", gettext_lazy("Succeeded")
        FAILED = "Failed", gettext_lazy("Failed")
        LOCKED_OUT = "LockedOut", gettext_lazy("Locked out")
        LOGGED_OUT = "LoggedOut", gettext_lazy("Logged out")

    name = models.CharField(gettext_lazy("user"), max_length=150, blank=True)
    outcome = models.CharField(gettext_lazy("outcome"), max_length=10, choices=Outcome.choices)
    address = models.CharField(gettext_lazy("network"), max_length=50, blank=True)
    at = models.DateTimeField(gettext_lazy("at"), default=timezone.now)
    request_id = models.CharField(gettext_lazy("request"), max_length=64, blank=True, default=provenance.request_id)

    columns = Columns.of(texts="name address")

    class Meta:
        verbose_name = gettext_lazy("log-in")
        verbose_name_plural = gettext_lazy("log-ins")
        indexes = [
            # the filter and searches of the staff site
            models.Index(fields=["outcome", "id"], name="log_in_by_outcome"),
            WordIndex(words=["name", "request_id"], name="log_in_words"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.outcome}"


histories.register()


LONGEST_NAME, LONGEST_QUERY = 60, 2000


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def of(self, person_id: int, page: str) -> "SavedFilterQuerySet":
        """Select the filters that a person has saved for a list, by name."""
        return self.filter(person=person_id, page=page).order_by("name")


class SavedFilter(models.Model):
    """A filter of a list that a person has given a name. `query` is the query string of the list's address.

    A row is written, and deleted by its person; another query has another row.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="saved_filters")
    page = models.CharField(max_length=100, help_text="The model that is listed, such as `auth.user`.")
    name = models.CharField(gettext_lazy("name"), max_length=LONGEST_NAME)
    query = models.CharField(max_length=LONGEST_QUERY)

    columns = Columns.of(fixed("saved_filter_fixed", "id person_id page name query"), texts="name query")
    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("saved filter")
        verbose_name_plural = gettext_lazy("saved filters")
        constraints = [
            models.UniqueConstraint(fields=["person", "page", "name"], name="saved_filter_name_of_person"),
        ]

    def __str__(self) -> str:
        return self.name
