"""The ASGI application: WSGI would lose chunked bodies and starve under watchers."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
_django = get_asgi_application()

from django.conf import settings  # noqa: E402  settings are read once Django is set up

from milo.kube.body_limit import BodyLimit  # noqa: E402

application = BodyLimit(_django, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
