"""The ASGI application: WSGI would lose chunked bodies and starve under watchers."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
application = get_asgi_application()
