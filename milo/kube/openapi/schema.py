"""Extensions of drf-spectacular: views are described by their `Operation`."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse
from rest_framework.permissions import AllowAny

from milo.kube.openapi import core_operations, kind_operations  # noqa: F401  they register their operations
from milo.kube.openapi.operations import JSON, Operation, operation
from milo.kube.openapi.parameters import IDEMPOTENCY_KEY
from milo.kube.openapi.refusals import ALWAYS, OF_RETRY, refusal
from milo.kube.schemas import NothingSerializer, PatchSerializer


class KubeSchema(AutoSchema):
    """DRF's DEFAULT_SCHEMA_CLASS. Describes each method of a view by its `Operation`."""

    view: Any
    method: str
    path: str

    @property
    def operation(self) -> Operation:
        described = operation(self.view, self.method, self.path)
        assert described, "is_excluded is called first"
        return described

    def is_excluded(self) -> bool:
        # a path with a trailing slash duplicates the one without
        return self.path.endswith("/") or operation(self.view, self.method, self.path) is None

    def get_operation_id(self) -> str:
        return self.operation.id

    def get_summary(self) -> str:
        return self.operation.summary

    def get_description(self) -> str:  # type: ignore[override]
        return self.operation.description

    def get_tags(self) -> list[str]:
        return [self.operation.tag]

    def get_override_parameters(self) -> list[Any]:
        retried = [IDEMPOTENCY_KEY] if self.method == "POST" else []
        return [*self.operation.parameters, *retried]

    def map_renderers(self, attribute: str) -> list[str]:
        return [JSON]

    def get_request_serializer(self) -> dict[str, Any] | None:  # type: ignore[override]
        described = self.operation
        if described.body is None:
            return None
        examples = [OpenApiExample(described.summary, value=described.body_example, request_only=True)]
        return {described.body_type: OpenApiRequest(described.body, examples=examples)}

    def get_response_serializers(self) -> dict[Any, Any]:  # type: ignore[override]
        described = self.operation
        example = OpenApiExample(
            described.summary,
            value=described.answer_example,
            response_only=True,
            media_type=described.answer_types[0],
        )
        codes = {described.status, 201} if described.makes else {described.status}
        answers: dict[Any, Any] = {
            (code, *described.answer_types): OpenApiResponse(
                described.answer, "OK." if code == 200 else "Created.", examples=[example]
            )
            for code in sorted(codes)
        }
        if described.unchanged:
            answers[304] = OpenApiResponse(None, "The object has not changed since If-None-Match.")
        return answers | {code: refusal(code) for code in sorted({*self._always(), *described.refuses})}

    def _always(self) -> tuple[int, ...]:
        open_to_all = AllowAny in self.view.permission_classes
        always = (*ALWAYS, *OF_RETRY) if self.method == "POST" and self.operation.writes else ALWAYS
        return tuple(code for code in always if not open_to_all or code in (400, 406))

    def get_extensions(self) -> dict[str, Any]:
        described = self.operation
        known = {"x-kubernetes-group-version-kind": described.of} if described.of else {}
        return {"x-kubernetes-action": described.action, **known}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "milo.identity.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A service token: `milo_...`."}


class NothingShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Describe an object without fields. drf-spectacular would omit it."""

    target_class = NothingSerializer

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return {"type": "object", "description": get_doc(type(self.target)), "additionalProperties": False}


class PatchShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Describe an object with arbitrary fields."""

    target_class = PatchSerializer

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return {"type": "object", "description": get_doc(type(self.target)), "additionalProperties": True}
