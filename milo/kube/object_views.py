"""Single objects of every kind: read, replace, patch, apply."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo.errors import Conflict, NotFound
from milo.kube import apply, bodies, objects, patches, preconditions
from milo.kube.kinds import Kind
from milo.kube.manifests import render
from milo.kube.status import MethodNotAllowed, UnsupportedMediaType
from milo.kube.views import KubeView

PATCH_ATTEMPTS = 5
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = {
    "application/merge-patch+json": patches.merge_patch,
    "application/json-patch+json": patches.json_patch,
    "application/strategic-merge-patch+json": patches.strategic_merge_patch,
    # for plain REST users
    "application/json": patches.merge_patch,
}


class ObjectView(KubeView):
    standard = True

    @property
    def allowed_methods(self) -> list[str]:
        """For the Allow header: DELETE is answered too, with the way to do without it."""
        refused = {"DELETE", "PUT"} if "update" not in self.kind.verbs else {"DELETE"}
        return [method for method in super().allowed_methods if method not in refused]

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """Read; with If-None-Match, 304 where nothing is new."""
        return self.one(self.manifest())

    def put(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Replace; the body or If-Match says which revision the client has seen."""
        row = self.row("update")
        matched = preconditions.expected_version(request.headers, row.resource_version)
        sent = self._read(row, self.body())
        expected = sent.resource_version or matched
        if not expected:
            raise objects.missing_version()
        return self._update(row, sent, expected)

    def patch(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Change a part: merge patch, JSON patch or strategic merge patch, by Content-Type."""
        kind_of_patch = bodies.media_type(self.request._request.content_type or "")
        if kind_of_patch == APPLY_PATCH:
            return self._apply()
        apply_patch = PATCHES.get(kind_of_patch)
        if apply_patch is None:
            known = ", ".join([*PATCHES, APPLY_PATCH])
            raise UnsupportedMediaType(
                _("patches of type %(type)s are not understood; known: %(known)s")
                % {"type": kind_of_patch, "known": known}
            )
        patch = self.body()
        for _attempt in range(PATCH_ATTEMPTS):
            row = self.row("patch")
            patched = apply_patch(render(self.kind, row), patch)
            if response := self._patched(row, self._read(row, patched)):
                return response
        raise Conflict(_("the object is changing too quickly; please try again"))

    def _apply(self) -> HttpResponse:
        """Server-side apply; it makes the object where there is none."""
        manager, force = apply.field_manager(self.parameters.text("fieldManager")), self.parameters.flag("force")
        applied = self.body()
        for _attempt in range(PATCH_ATTEMPTS):
            try:
                row = self.row("patch")
            except NotFound:
                preconditions.expected_version(self.request.headers, None)
                merged = apply.apply(None, applied, manager, force=force, at=timezone.now())
                return self.create(merged, self.kwargs["name"], merged["metadata"]["managedFields"])
            merged = apply.apply(render(self.kind, row), applied, manager, force=force, at=timezone.now())
            if response := self._patched(row, self._read(row, merged, merged["metadata"]["managedFields"])):
                return response
        raise Conflict(_("the object is changing too quickly; please try again"))

    def _patched(self, row: Any, sent: objects.Sent) -> HttpResponse | None:
        """Write what a patch made of `row`; None where another write came between and the patch is to be made anew."""
        matched = preconditions.expected_version(self.request.headers, row.resource_version)
        expected = sent.resource_version if sent.resource_version is not None else matched
        try:
            return self._update(row, sent, expected)
        except Conflict:
            if sent.resource_version != row.resource_version or matched is not None:
                raise  # the client named the revision itself
            return None

    def delete(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Refused for every kind: nothing that the ledger names is ever deleted."""
        self.row()
        raise MethodNotAllowed(self.kind.undeletable)

    def _read(self, row: Any, manifest: Any, managed_fields: list[dict[str, Any]] | None = None) -> objects.Sent:
        """The manifest that is to replace `row`; `managed_fields` where apply has said who manages what."""
        kind: Kind = self.kind
        if managed_fields is None and row.managed_fields and isinstance(manifest, dict):
            headers = self.request.headers
            manager = apply.field_manager(self.parameters.text("fieldManager"), headers.get("User-Agent", "unknown"))
            managed_fields = apply.updated(render(kind, row), manifest, manager, at=timezone.now())
        sent = objects.read(
            kind,
            manifest,
            namespace=self.namespace,
            organization_id=kind.organization(row).pk,
            name=row.name,
            field_validation=self.parameters.field_validation,
            managed_fields=managed_fields,
        )
        objects.expect_uid(row, sent.uid)
        return sent

    def _update(self, row: Any, sent: objects.Sent, resource_version: int | None) -> HttpResponse:
        with self.acting():
            updated = self.kind.update(row, sent.body, actor=self.actor, resource_version=resource_version)
        return self.one(self.shown(updated), 200, sent.warnings)
