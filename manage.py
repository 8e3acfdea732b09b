#!/usr/bin/env python
"""Django's command line for Milo."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from milo import __version__

if __name__ == "__main__":
    if sys.argv[1:] in (["version"], ["--version"]):
        # Django would answer with its own
        sys.exit(print(__version__))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
