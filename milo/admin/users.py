"""Pages of users and their platform roles (groups): superusers change them, auditors read them."""

from itertools import takewhile
from typing import Any, ClassVar, NoReturn

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.forms import UserChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from milo import email_addresses
from milo.access import TABLE
from milo.admin.actors import request_actor
from milo.admin.forms import Text, Tick
from milo.admin.keysets import KeysetPages
from milo.admin.local_values import LocalValues
from milo.admin.lookups import NamedLookups
from milo.admin.masking import MaskedErrors
from milo.admin.messages import why_text
from milo.admin.panels import lines, moment
from milo.admin.password_links import ask_for_password
from milo.admin.saved_filters import saved_filters
from milo.errors import Refused
from milo.identity.access import USERS
from milo.identity.changes import ACCESS, Change, changes
from milo.identity.models import ServiceUser
from milo.identity.usernames import fault_of_new

admin.site.unregister(User)
# groups are created by migrate, from the access table
admin.site.unregister(Group)


_SHOWN = 10
_WAYS_IN = ("is_active", "is_staff", "is_superuser")


class _UserForm(UserChangeForm):
    send_password_link = Tick(
        required=False,
        label=gettext_lazy("Send a link by which the person sets a password"),
        help_text=gettext_lazy("By mail; it is good once, and ends the links before it."),
    )

    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    """The newest change of the person when the page was opened."""

    own = False
    """Whether the person changes their own user."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"error_class": MaskedErrors} | kwargs)
        # somebody who sets another person's password could act as that person
        del self.fields["password"]
        if not self.is_bound:
            self.initial["seen"] = _version(_newest(self.instance))

    def clean(self) -> dict[str, Any]:
        """Refuse access to the staff site for service users, and a password link without an e-mail address.

        Refuse also what would lock the person out of this page: another superuser may do it.
        """
        values = super().clean() or {}
        self._refuse_unseen(values.get("seen", ""))
        for name in _WAYS_IN if self.own else ():
            if name in self.changed_data and not values.get(name):
                self.add_error(name, _("would lock you out of this page; another superuser can take it from you"))
        service = ServiceUser.objects.filter(user_id=self.instance.pk).exists()
        if service and (values.get("is_staff") or values.get("is_superuser") or values.get("send_password_link")):
            raise ValidationError(_("a service user has no password and is neither staff nor superuser"))
        if values.get("send_password_link") and not values.get("email"):
            self.add_error("email", _("is needed for the link by which the person sets a password"))
        return values

    def _refuse_unseen(self, seen: str) -> None:
        """Refuse to go over changes that others made since the page was opened: say who made which, and when.

        The form then is one of the newer state: sent again, it goes over them.
        """
        # until the end of the request, so that of two who save at once the second is refused
        User.objects.select_for_update().get(pk=self.instance.pk)
        newest = _newest(self.instance)
        if seen == _version(newest):
            return
        unseen = list(takewhile(lambda change: _version([change]) != seen, newest))
        said = _("%(who)s changed it at %(when)s: %(what)s")
        for change in unseen[:_SHOWN]:
            values = {"who": change.author, "when": moment(change.at), "what": why_text(change.reason)}
            self.add_error(None, said % values)
        self.add_error(None, _("What you typed is kept. Look at the changes; sending it again goes over them."))
        renewed: Any = self
        renewed.data = renewed.data.copy()
        renewed.data["seen"] = _version(newest)

    def clean_email(self) -> str:
        """Refuse an address that mail cannot be sent to."""
        email: str = self.cleaned_data["email"]
        if email and (why := email_addresses.fault(email)):
            raise ValidationError(why)
        return email


def _newest(user: User) -> list[Change]:
    return changes(_SHOWN + 1, username=user.get_username(), of=ACCESS)


def _version(newest: list[Change]) -> str:
    return f"{newest[0].place.source}-{newest[0].place.key}" if newest else ""


class _NewUserForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A new person, who sets their password by a link in a mail."""

    email = Text(label=gettext_lazy("E-mail address"))

    class Meta:
        model = User
        fields = ("username", "email")
        widgets = {"username": UnfoldAdminTextInputWidget}

    clean_email = _UserForm.clean_email

    def clean_username(self) -> str:
        """Refuse an invalid name, or one that looks like an existing name."""
        username: str = self.cleaned_data["username"]
        if why := fault_of_new(username):
            raise ValidationError(why)
        return username

    def save(self, commit: bool = True) -> User:
        self.instance.set_unusable_password()
        user: User = super().save(commit)
        return user


_FOR_CHANGES = frozenset({"seen", "send_password_link", "sessions", "second_factor"})
"""Fields of the page of a user that are acts, or lead to pages of acts."""
_READ = {"groups": "roles"}
"""Fields that a page which only reads shows by a column of the list."""


class RoleFilter(DropdownFilter):
    """The platform role, of those of the access table."""

    title = gettext_lazy("platform role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(role, role) for role in sorted({rule.role for rule in TABLE if not rule.organization})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(groups__name=self.value()) if self.value() else queryset


@admin.register(User)
class UserAdmin(NamedLookups, LocalValues, KeysetPages, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Pages of users. Users are never deleted or renamed, because the history refers to them by name."""

    form = _UserForm
    add_form = _NewUserForm
    add_fieldsets = ((None, {"fields": ("username", "email")}),)
    icon = "person"
    nothing_yet = gettext_lazy(
        "Users are created by the button above, or at their first log-in by the identity provider."
    )
    actions = None
    masked_search_fields = ("email",)
    list_before_template = "milo/above_list.html"
    list_display = ("username", "email", "roles", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", RoleFilter)
    fieldsets = (
        (None, {"fields": ("username", "email", "first_name", "last_name", "send_password_link", "seen")}),
        (gettext_lazy("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (gettext_lazy("Times"), {"fields": ("last_login", "date_joined", "sessions", "second_factor")}),
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("last_login", "date_joined", "sessions", "second_factor")
    filter_horizontal = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {"filters": saved_filters(request, User), **(extra_context or {})}
        return super().changelist_view(request, context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save as Django does, then send a password link to a new person, or if the form asks for it."""
        super().save_related(request, form, formsets, change)
        if not change or form.cleaned_data.get("send_password_link"):
            # after commit: a service opens its own transaction, and this page runs in one
            transaction.on_commit(lambda: self._send_link(request, form.instance))

    def _send_link(self, request: HttpRequest, user: User) -> None:
        try:
            ask_for_password(request, user, actor=request_actor(request))
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, _("A link to set a password was sent to %(address)s.") % {"address": user.email})

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> NoReturn:
        """Refuse: a person sets their own password."""
        raise PermissionDenied

    @admin.display(description=gettext_lazy("platform roles"))
    def roles(self, user: User) -> str:
        return lines(group.name for group in user.groups.all())

    @admin.display(description=gettext_lazy("sessions"))
    def sessions(self, user: User) -> str:
        address = reverse("admin:sessions_of", args=[user.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', address, _("where they are logged in"))

    @admin.display(description=gettext_lazy("second factor"))
    def second_factor(self, user: User) -> str:
        address = reverse("admin:second_factor_reset", args=[user.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', address, _("reset it"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields of a page: for whoever only reads, without those that act or lead to acts."""
        fieldsets: Any = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, {"fields": [_READ.get(name, name) for name in options["fields"] if name not in _FOR_CHANGES]})
            for title, options in fieldsets
        ]

    def get_form(  # type: ignore[override]  # as the page of users of Django has it
        self, request: HttpRequest, obj: Any = None, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, **kwargs)
        # a class of this request alone
        form.own = obj is not None and obj.pk == request.user.pk
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "username") if obj else self.readonly_fields

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field,
            request,
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
            label=_("Platform roles"),
            help_text="",
            **kwargs,
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request_actor(request).may("list", USERS, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # no role suffices: whoever may change users may make themselves a superuser
        return bool(request.user.is_active and request.user.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
