"""Addresses of the peer."""

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from benchmarks.peer.views import BillingAccountViewSet, BindingViewSet

router = DefaultRouter()
router.register("billingaccounts", BillingAccountViewSet)
router.register("billingaccountbindings", BindingViewSet)
urlpatterns = [path("organizations/<str:organization>/", include(router.urls))]
