"""Views of single objects: read, replace, patch and apply."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo import audit
from milo.errors import AlreadyExists, Conflict, NotFound
from milo.kube.store import apply, managers, objects, patches
from milo.kube.store.manifests import render
from milo.kube.views import KubeView
from milo.kube.wire import decoding, preconditions
from milo.kube.wire.status import MethodNotAllowed, UnsupportedMediaType

PATCH_ATTEMPTS = 5
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = {
    "application/merge-patch+json": patches.merge_patch,
    "application/json-patch+json": patches.json_patch,
    "application/strategic-merge-patch+json": patches.strategic_merge_patch,
    # for plain REST clients
    "application/json": patches.merge_patch,
}


class ObjectView(KubeView):
    standard = True

    @property
    def allowed_methods(self) -> list[str]:
        """Methods for the Allow header. DELETE is left out: it is answered with 405 and what to do instead."""
        refused = {"DELETE", "PUT"} if "update" not in self.kind.verbs else {"DELETE"}
        return [method for method in super().allowed_methods if method not in refused]

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """Read. With If-None-Match, answer 304 if the representation is unchanged."""
        return self.one(self.manifest())

    def put(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Replace. `metadata.resourceVersion` or If-Match must name the newest revision."""
        row = self.row("update")
        matched = preconditions.expected_version(request.headers, row.resource_version)
        sent = self._read(row, self.body())
        expected = sent.resource_version or matched
        if not expected:
            raise objects.missing_version()
        return self._written(self._write(row, sent, expected), sent)

    def patch(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Patch, by Content-Type: merge patch, JSON patch, strategic merge patch or server-side apply.

        A patch that names no revision is made again if another write came between, up to `PATCH_ATTEMPTS` times.
        """
        kind_of_patch = decoding.media_type(self.request._request.content_type or "")
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
        for attempt in range(PATCH_ATTEMPTS):
            with self._attempt(attempt):
                row = self.row("patch")
                patched = apply_patch(self.live(row), patch)
                patches.check_bounds(patched)
                sent = self._read(row, patched)
                written = self._patched(row, sent)
            if written:
                return self._written(written, sent)
        raise Conflict(_("the object is changing too quickly; please try again"))

    def _apply(self) -> HttpResponse:
        """Server-side apply. Creates the object if it does not exist."""
        manager, force = managers.field_manager(self.parameters.text("fieldManager")), self.parameters.flag("force")
        applied = self.body()
        for attempt in range(PATCH_ATTEMPTS):
            try:
                self.row("patch")
            except NotFound:
                preconditions.expected_version(self.request.headers, None)
                merged = self._applied(None, applied, manager, force)
                try:
                    return self.create(merged, self.kwargs["name"], merged["metadata"]["managedFields"])
                except AlreadyExists:
                    continue  # another apply created it in between
            with self._attempt(attempt):
                row = self.row("patch")
                merged = self._applied(row, applied, manager, force)
                patches.check_bounds(merged)
                sent = self._read(row, merged, merged["metadata"]["managedFields"])
                written = self._patched(row, sent)
            if written:
                return self._written(written, sent)
        raise Conflict(_("the object is changing too quickly; please try again"))

    def _applied(self, row: Any | None, applied: Any, manager: str, force: bool) -> dict[str, Any]:
        live = None if row is None else self.live(row)
        stored = partial(objects.normalized, self.shape, row=row)
        return apply.apply(live, applied, manager, force=force, at=timezone.now(), stored=stored)

    @contextmanager
    def _attempt(self, attempt: int) -> Iterator[None]:
        """Run one attempt at a patch; the last one locks the object before it reads.

        Earlier attempts read without the lock, so a slow patch blocks nobody. Under contention all of these may come
        too late, and only the lock makes the last one succeed.
        """
        if attempt < PATCH_ATTEMPTS - 1:
            yield
            return
        row = self.row("patch")
        # the outermost transaction decides on rollback, so the dry run must begin before it
        with self.acting(), audit.transaction():
            self.kind.lock(row)
            yield

    def _patched(self, row: Any, sent: objects.DecodedManifest) -> Any:
        """Write a patched manifest and return the row. None if another write came between: patch again.

        Raises `Conflict` if the client itself named the revision, in the patch or with If-Match.
        """
        matched = preconditions.expected_version(self.request.headers, row.resource_version)
        expected = sent.resource_version if sent.resource_version is not None else matched
        try:
            return self._write(row, sent, expected)
        except Conflict:
            if sent.resource_version != row.resource_version or matched is not None:
                raise  # the client named the revision itself
            return None

    def delete(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Refuse with 405: nothing in the ledger is ever deleted."""
        self.row()
        raise MethodNotAllowed(self.kind.undeletable)

    def live(self, row: Any) -> dict[str, Any]:
        """Return the manifest of `row` that a patch is applied to."""
        return self.presented(render(self.kind, row))

    def _read(
        self, row: Any, manifest: Any, managed_fields: list[dict[str, Any]] | None = None
    ) -> objects.DecodedManifest:
        """Decode the manifest that replaces `row`. `managed_fields` is the result of an apply; else it is computed."""
        sent = objects.read(
            self.shape,
            manifest,
            namespace=self.namespace,
            organization_id=self.kind.organization(row).pk,
            name=row.name,
            field_validation=self.parameters.field_validation,
        )
        objects.expect_uid(row, sent.uid)
        if managed_fields is None:
            managed_fields = self.managed(self.live(row), objects.normalized(self.shape, manifest, row))
        return sent.managed_by(managed_fields)

    def _written(self, row: Any, sent: objects.DecodedManifest) -> HttpResponse:
        return self.one(self.manifest_of(row), 200, (*sent.warnings, *self.kind.warnings(row)))

    def _write(self, row: Any, sent: objects.DecodedManifest, resource_version: int | None) -> Any:
        with self.acting():
            return self.shape.update(row, sent.body, actor=self.actor, resource_version=resource_version)
