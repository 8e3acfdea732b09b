"""TokenReview: another service asks whose bearer token it has received.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

from typing import Any

from rest_framework.exceptions import AuthenticationFailed

from milo.identity.access import TOKEN_REVIEWS
from milo.identity.authentication import admit
from milo.kube import illustrations
from milo.kube.reviews.review_schemas import TokenReviewSpecSerializer, TokenReviewStatusSerializer
from milo.kube.reviews.reviews import ReviewView, user_info


class TokenReviewView(ReviewView):
    """Authenticate a service token or a token of the OpenID Connect provider, like a request with it.

    The answer does not repeat the token. `status.audiences` stays empty, which tells the client that `spec.audiences`
    was ignored.
    """

    review, api_version, resource = "TokenReview", "authentication.k8s.io/v1", TOKEN_REVIEWS
    question = "Whose token is this?"
    spec_serializer, status_serializer = TokenReviewSpecSerializer, TokenReviewStatusSerializer

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"token": "milo_..."}, {"authenticated": True, "user": illustrations.user_info()}

    def judge(self, spec: dict[str, Any]) -> dict[str, Any]:
        try:
            _user, actor = admit(spec.pop("token"))
        except AuthenticationFailed as refusal:
            return {"authenticated": False, "error": str(refusal.detail)}
        return {"authenticated": True, "user": user_info(actor)}
