"""Every URL of the platform."""

from django.contrib import admin
from django.urls import path

from milo import health
from milo.admin import hosts
from milo.kube.routes import api_paths

urlpatterns = [
    path("", hosts.home),
    path("livez", health.livez),
    path("readyz", health.readyz),
    # the old name in Kubernetes, which older clients use
    path("healthz", health.readyz),
    path("metrics", health.metrics),
    path("admin/", admin.site.urls),
    *api_paths(),
]
handler400 = "milo.kube.wire.status.bad_request"
handler403 = "milo.kube.wire.status.forbidden"
handler404 = "milo.kube.wire.status.not_found"
handler500 = "milo.kube.wire.status.server_error"
