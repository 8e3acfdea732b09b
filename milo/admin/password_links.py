"""The page where a person sets their password, reached by a link in a mail."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, reverse_lazy

from milo.access import Actor
from milo.errors import Refused
from milo.identity import passwords


class PasswordPage(PasswordResetConfirmView):
    """Sets the password of the person in the link. Needs no log-in and does not log in."""

    token_generator = passwords.TOKENS_OF_LINKS
    template_name = "registration/password_reset_confirm.html"
    success_url = reverse_lazy("admin:login")

    def form_valid(self, form: Any) -> HttpResponse:
        assert self.user
        try:
            passwords.set_by_link(self.user, form.cleaned_data["new_password1"])
        except Refused as refusal:
            form.add_error(None, refusal.message)
            return self.form_invalid(form)
        del self.request.session["_password_reset_token"]
        return HttpResponseRedirect(str(self.success_url))


def ask_for_password(request: HttpRequest, user: User, *, actor: Actor) -> None:
    """Mail `user` a link to set their password. Raises `Refused` like `passwords.request_link`."""
    key, token = passwords.request_link(user, actor=actor)
    address = request.build_absolute_uri(reverse("admin:password_link", args=[key, token]))
    passwords.send_link(user, address, sender=actor.name)
