"""Pages to give, set up and reset a second factor."""

from typing import Any

import segno
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminTextInputWidget

from milo.admin.forms import Paragraph
from milo.errors import Refused
from milo.identity import second_factor

# its pages would show keys of other people
admin.site.unregister(TOTPDevice)


class OneTimeForm(forms.Form):
    password = forms.RegexField(
        r"^[0-9]{6}$",
        label=gettext_lazy("One-time password"),
        error_messages={"invalid": gettext_lazy("Six digits, as the authenticator shows them.")},
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class SecondFactorView(FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """Asks a logged-in person for a one-time password, or lets them set up an authenticator first."""

    template_name = "milo/second_factor.html"
    http_method_names = ["get", "head", "post"]
    form_class = OneTimeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if not (isinstance(user, User) and user.is_active and user.is_staff):
            return HttpResponseRedirect(reverse("admin:login"))
        if user.is_verified():  # type: ignore[attr-defined]
            return HttpResponseRedirect(self.get_success_url())
        self.known = second_factor.device_of(user)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: OneTimeForm) -> HttpResponse:
        password = form.cleaned_data["password"]
        if self.known is None:
            if second_factor.set_up(self.request, password):
                return HttpResponseRedirect(self.get_success_url())
            form.add_error("password", _("That is not what the authenticator shows now."))
            return self.form_invalid(form)
        wait = second_factor.verify(self.request, password)
        if wait is None:
            return HttpResponseRedirect(self.get_success_url())
        form.add_error(
            "password", _("That is wrong. Wait %(seconds)d seconds, then try the next one.") % {"seconds": wait}
        )
        return self.form_invalid(form)

    def get_success_url(self) -> str:
        next_page = self.request.GET.get("next", "")
        safe = url_has_allowed_host_and_scheme(next_page, {self.request.get_host()}, self.request.is_secure())
        return next_page if safe else reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(
            site_title=admin.site.site_title, title=_("Second factor"), known=self.known, **kwargs
        )
        if self.known is None:
            device = second_factor.new_device(self.request)
            context["picture"] = segno.make(device.config_url).svg_data_uri(scale=5, light="white")
            context["secret"] = device.config_url.partition("secret=")[2].partition("&")[0]
        return context


class ResetForm(forms.Form):
    why = Paragraph(max_length=2000, label=gettext_lazy("Reason"))


class ResetView(FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """Lets a superuser remove the authenticator of another person."""

    template_name = "milo/second_factor_reset.html"
    http_method_names = ["get", "head", "post"]
    form_class = ResetForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if not request.user.is_superuser or request.user.pk == kwargs["user_id"]:
            raise PermissionDenied
        self.person = get_object_or_404(User, pk=kwargs["user_id"])

    def form_valid(self, form: ResetForm) -> HttpResponse:
        assert isinstance(self.request.user, User)
        try:
            second_factor.reset(self.person, why=form.cleaned_data["why"], by=self.request.user)
        except Refused as refusal:
            form.add_error(None, refusal.message)
            return self.form_invalid(form)
        messages.success(self.request, _("The second factor was reset."))
        return HttpResponseRedirect(reverse("admin:auth_user_change", args=[self.person.pk]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        title = _("Reset the second factor of %(user)s") % {"user": self.person.get_username()}
        return super().get_context_data(**admin.site.each_context(self.request), title=title, **kwargs)
