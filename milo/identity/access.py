"""Rows of the access table for service tokens."""

from milo.access import Rule, declare

TOKENS = "servicetokens"
PLATFORM_ADMIN = "platform-admin"


def declare_rules() -> None:
    declare([Rule(PLATFORM_ADMIN, TOKENS, ("get", "list", "create", "delete"))])
