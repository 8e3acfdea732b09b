"""The ASGI application. WSGI loses chunked bodies, and watchers starve its workers."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  settings are read once Django is set up
from django.db import DEFAULT_DB_ALIAS, connections  # noqa: E402

from milo import feature_gates, telemetry  # noqa: E402
from milo.faults import Faults  # noqa: E402
from milo.handler import OneHopHandler  # noqa: E402
from milo.kube.discovery.endpoints import all_endpoints  # noqa: E402
from milo.kube.wire.body_limit import BodyLimit  # noqa: E402
from milo.probes import Probes  # noqa: E402
from milo.settings.secret_key import refuse_missing  # noqa: E402
from milo.web.measuring import Measured  # noqa: E402

refuse_missing()
if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
    # for connections that are yet to be made: libpq takes the last of two values
    _options = connections[DEFAULT_DB_ALIAS].settings_dict["OPTIONS"]
    _options["options"] = f"{_options.get('options', '')} {settings.MILO_REQUEST_TIMEOUTS}".strip()

application = Measured(
    Faults(
        Probes(
            BodyLimit(
                OneHopHandler(settings.MILO_THREADS, settings.MILO_WAITING_REQUESTS),
                settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
                {f"/{endpoint.path}": endpoint.body_limit for endpoint in all_endpoints()},
            )
        )
    )
)

feature_gates.log_modes()
telemetry.begin()

# loaded objects live as long as the process: exclude them from the collections that large lists trigger
gc.collect()
gc.freeze()
