"""DRF's token authentication, by the digest of the token."""

import hashlib

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework import authentication, exceptions

from benchmarks.peer.models import Token


class TokenAuthentication(authentication.TokenAuthentication):
    keyword = "Bearer"

    def authenticate_credentials(self, key: str) -> tuple[User, Token]:
        digest = hashlib.sha256(key.encode()).hexdigest()
        token = Token.objects.select_related("user").filter(digest=digest, revoked_at=None).first()
        if token is None or not token.user.is_active:
            raise exceptions.AuthenticationFailed("invalid token")
        if token.expires_at and token.expires_at <= timezone.now():
            raise exceptions.AuthenticationFailed("expired token")
        return token.user, token
