"""The ASGI application. WSGI loses chunked bodies, and watchers starve its workers."""

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

# loaded objects live as long as the process: exclude them from the collections that large lists trigger
gc.collect()
gc.freeze()
