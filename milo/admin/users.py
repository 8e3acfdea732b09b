"""People who log in, with their platform roles (groups); for superusers alone."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from milo import email_addresses
from milo.admin.lookups import NamedLookups
from milo.admin.panels import lines

admin.site.unregister(User)
# the roles are those of the access table, made by migrate
admin.site.unregister(Group)


class _UserForm(UserChangeForm):
    def clean_email(self) -> str:
        """Refuse an address that no notice could be sent to."""
        email: str = self.cleaned_data["email"]
        if email and (why := email_addresses.fault(email)):
            raise ValidationError(why)
        return email


@admin.register(User)
class UserAdmin(NamedLookups, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Users are never deleted or renamed: the history names them."""

    form = _UserForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    icon = "person"
    actions = None
    list_display = ("username", "email", "roles", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    fieldsets = (
        (None, {"fields": ("username", "password", "email", "first_name", "last_name")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Times"), {"fields": ("last_login", "date_joined", "sessions", "second_factor")}),
    )
    readonly_fields = ("last_login", "date_joined", "sessions", "second_factor")
    filter_horizontal = ()

    @admin.display(description=_("platform roles"))
    def roles(self, user: User) -> str:
        return lines(group.name for group in user.groups.all())

    @admin.display(description=_("sessions"))
    def sessions(self, user: User) -> str:
        address = reverse("admin:sessions_of", args=[user.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', address, _("where they are logged in"))

    @admin.display(description=_("second factor"))
    def second_factor(self, user: User) -> str:
        address = reverse("admin:second_factor_reset", args=[user.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', address, _("reset it"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

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
        return bool(request.user.is_active and request.user.is_superuser)

    has_change_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
