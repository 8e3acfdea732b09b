"""The ASGI application: WSGI would lose chunked bodies and starve under watchers."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  settings are read once Django is set up

from milo.faults import Faults  # noqa: E402
from milo.handler import OneHopHandler  # noqa: E402
from milo.kube.discovery.endpoints import all_endpoints  # noqa: E402
from milo.kube.wire.body_limit import BodyLimit  # noqa: E402

application = Faults(
    BodyLimit(
        OneHopHandler(settings.MILO_THREADS),
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        {f"/{endpoint.path}": endpoint.body_limit for endpoint in all_endpoints()},
    )
)

# what is loaded by now stays for good, and need not be looked through again whenever a large list makes garbage
gc.collect()
gc.freeze()
