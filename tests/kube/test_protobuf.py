from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.errors import Refused
from milo.kube.wire.protobuf import parse
from milo.kube.wire.status import UnsupportedMediaType

# as kubectl 1.37.1 sent them
WHOAMI = bytes.fromhex(
    "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577121a0a100a00"
    "12001a0022002a0032003800420012060a040a0012001a002200"
)
CAN_I = bytes.fromhex(
    "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441636365737352657669657712"
    "650a100a0012001a0022002a0032003800420012470a450a0961636d652d636f727012066372656174651a0022002a1f62696c6c696e676163"
    "636f756e74732e62696c6c696e672e6d696c6f2e696f320773757370656e643a0275731a08080012001a0020001a002200"
)
CAN_I_PATH = bytes.fromhex(
    "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441636365737352657669657712"
    "2f0a100a0012001a0022002a003200380042001211120f0a082f76657273696f6e12036765741a08080012001a0020001a002200"
)
CAN_I_LIST = bytes.fromhex(
    "6b3873000a310a17617574686f72697a6174696f6e2e6b38732e696f2f7631121653656c665375626a65637452756c65735265766965771225"
    "0a100a0012001a0022002a00320038004200120b0a0961636d652d636f72701a04180022001a002200"
)
CREATE_NAMESPACE = bytes.fromhex(
    "6b3873000a0f0a02763112094e616d65737061636512210a190a0961636d652d636f727012001a0022002a0032003800420012001a020a001a"
    "002200"
)
SENT = [WHOAMI, CAN_I, CAN_I_PATH, CAN_I_LIST, CREATE_NAMESPACE]


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def body(api_version: str, kind: str, content: bytes, more: bytes = b"") -> bytes:
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\0" + field(1, type_meta) + field(2, content) + more


@pytest.mark.parametrize(
    ("sent", "manifest"),
    [
        (WHOAMI, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}),
        (
            CAN_I,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "metadata": {},
                "spec": {
                    "resourceAttributes": {
                        "namespace": "acme-corp",
                        "verb": "create",
                        "resource": "billingaccounts.billing.milo.io",
                        "subresource": "suspend",
                        "name": "us",
                    }
                },
            },
        ),
        (
            CAN_I_PATH,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "metadata": {},
                "spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}},
            },
        ),
        (
            CAN_I_LIST,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectRulesReview",
                "metadata": {},
                "spec": {"namespace": "acme-corp"},
            },
        ),
        (CREATE_NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme-corp"}}),
    ],
    ids=["whoami", "can-i", "can-i-path", "can-i-list", "create-namespace"],
)
def test_what_kubectl_sends_is_read_as_the_manifest_it_means(sent: bytes, manifest: dict[str, Any]) -> None:
    assert parse(sent) == manifest


def test_labels_and_annotations_of_a_namespace_are_read() -> None:
    labels = field(11, field(1, b"tier") + field(2, b"gold")) + field(11, field(1, b"empty") + field(2, b""))
    metadata = field(1, b"acme-corp") + labels + field(12, field(1, b"note") + field(2, "für später".encode()))
    assert parse(body("v1", "Namespace", field(1, metadata)))["metadata"] == {
        "name": "acme-corp",
        "labels": {"tier": "gold", "empty": ""},
        "annotations": {"note": "für später"},
    }


@pytest.mark.parametrize(
    "sent",
    [
        body("v1", "Pod", b""),
        body("billing.milo.io/v1alpha1", "BillingAccount", b""),
        body("v1beta1", "Namespace", b""),
        b"k8s\0",
        body("v1", "Namespace", b"", field(3, b"gzip")),
        body("v1", "Namespace", b"", field(4, b"application/json")),
    ],
)
def test_other_kinds_and_encodings_are_an_unsupported_media_type(sent: bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match="application/json"):
        parse(sent)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{}",
        b"k8s",
        b"K8S\0" + CAN_I[4:],
        CAN_I[:-60],
        b"k8s\0\xff",
        b"k8s\0" + b"\xff" * 11,
        b"k8s\0\x0b",
        b"k8s\0\x02\x00",
        body("v1", "Namespace", field(1, field(1, b"\xff\xfe"))),
        body("v1", "Namespace", field(1, field(1, b"a\0b"))),
        body("v1", "Namespace", b"\x0a\xff\xff\xff\xff\x7f"),
    ],
)
def test_a_malformed_body_is_a_bad_request(sent: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        parse(sent)
    assert refusal.value.reason == "BadRequest"


@given(st.data())
def test_whatever_is_sent_is_read_or_refused(data: st.DataObject) -> None:
    sent = bytearray(data.draw(st.sampled_from(SENT)))
    for _change in range(data.draw(st.integers(1, 4))):
        sent[data.draw(st.integers(4, len(sent) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Refused):
        assert parse(bytes(sent))["kind"]
    with suppress(Refused):
        parse(b"k8s\0" + data.draw(st.binary(max_size=64)))
