"""Describe exceptions for the log, without values of rows, statements, requests and mails.

A database error repeats them in many ways: "Failing row contains (...)", `Key (email)=(...)`, `invalid input syntax for
type integer: "..."`, the line of the statement at fault (`LINE 1: ...`), `CONTEXT: JSON data, line 1: ...`. Only the
first line of an error without values stays, and the names of what was broken: table, column and constraint.
"""

import re
import smtplib
import sqlite3
import traceback
from collections.abc import Iterator

import psycopg
from django.core.exceptions import ValidationError
from django.db import Error as DjangoError

from milo.errors import Refused

# classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html whose first line has names only:
# those of the server, of constraints, and of refusals of our own triggers (P0001)
_NAMES_ONLY = ("08", "23", "25", "28", "3D", "40", "42501", "42P01", "42703", "53", "55", "57", "58", "P0001")
# messages of the interpreter about a value repeat it
_OF_VALUES = (ValueError, LookupError, ArithmeticError, ValidationError)
_BEFORE_VALUE = re.compile(r"""["'`«»„“”\[{]|\((?!\))|: """)
_DEADLOCK = "40P01"
# of the lines below the first, that one which names a table and no value
_WHILE_LOCKING = re.compile(r'while \w+ tuple \([0-9]+,[0-9]+\) in relation "\w+"', re.ASCII)
_BELOW_FIRST_LINE = re.compile(r"\n(?:DETAIL|CONTEXT|HINT|QUERY|LINE [0-9]+):.*", re.DOTALL)
LEFT_OUT = "(left out)"


def describe(error: BaseException) -> str:
    """Return the class of an error, and as much of its message as has no value."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    message = _message(error)
    return f"{name}: {message}" if message else name


def describe_traceback(error: BaseException) -> str:
    """Return the traceback of an error and of those that it came from, each described by `describe`."""
    parts = []
    for each, link in reversed(list(_chain(error))):
        frames = "".join(traceback.format_tb(each.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{describe(each)}")
        parts += [link] if link else []
    return "\n\n".join(parts)


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield an error and what it came from, each with the words between it and the one before."""
    seen: set[int] = set()
    link = ""
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        yield following, link
        seen.add(id(following))
        if following.__cause__ is not None:
            link = "The above exception was the direct cause of the following exception:"
            following = following.__cause__
        else:
            link = "During handling of the above exception, another exception occurred:"
            following = None if following.__suppress_context__ else following.__context__


def _message(error: BaseException) -> str:
    if isinstance(error, Refused):
        # reason and fields: the message is for the person who asked, and may repeat what they sent
        return ", ".join([error.reason, *(f"{cause.field or '-'} ({cause.reason})" for cause in error.causes)])
    if codes := getattr(error, "get_codes", None):
        # of Django REST framework
        return str(codes())
    if isinstance(error, psycopg.Error):
        return _of_postgresql(error)
    if isinstance(error, DjangoError):
        return _of_django(error)
    if isinstance(error, sqlite3.IntegrityError):
        return _first_line(str(error))
    if isinstance(error, smtplib.SMTPException):
        return _of_mail_server(error)
    if isinstance(error, (sqlite3.Error, *_OF_VALUES)):
        return _before_value(str(error))
    return without_details(str(error))


def without_details(text: str) -> str:
    """Return a text into which somebody has put an error of the database, without the lines that repeat values."""
    return _BELOW_FIRST_LINE.sub("", text)


def _of_django(error: DjangoError) -> str:
    """Django's own errors repeat the driver's, from which they come."""
    if isinstance(error.__cause__, psycopg.Error | sqlite3.Error):
        return _message(error.__cause__)
    return _before_value(str(error))


def _of_postgresql(error: psycopg.Error) -> str:
    code = error.sqlstate
    first = _first_line(error.diag.message_primary or str(error))
    if code is None:
        # the client's own: of a connection, or of a value that it cannot send
        return first if isinstance(error, psycopg.OperationalError) else _before_value(first)
    if not code.startswith(_NAMES_ONLY):
        first = _before_value(first)
    diagnosis = error.diag
    if code == _DEADLOCK:
        # numbers of processes and transactions, and kinds of locks: who waited for whom
        waited = " ".join((diagnosis.message_detail or "").split())
        where = _WHILE_LOCKING.match(diagnosis.context or "")
        first = ": ".join(filter(None, (first, waited, where and where[0])))
    names = {
        "SQLSTATE": code,
        "table": diagnosis.table_name,
        "column": diagnosis.column_name,
        "constraint": diagnosis.constraint_name,
    }
    return f"{first} ({', '.join(f'{kind} {name}' for kind, name in names.items() if name)})"


def _of_mail_server(error: smtplib.SMTPException) -> str:
    """Return the reply codes (RFC 5321, section 4.2): the texts repeat addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return ", ".join(sorted({str(code) for code, _text in error.recipients.values()}))
    return str(error.smtp_code) if isinstance(error, smtplib.SMTPResponseException) else _before_value(str(error))


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _before_value(text: str) -> str:
    """Return the first line up to the first quote, bracket or colon."""
    line = _first_line(text)
    value = _BEFORE_VALUE.search(line)
    return f"{line[: value.start()].rstrip()} {LEFT_OUT}".lstrip() if value else line
