"""API v1 and its document."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from monitoring.api.alerts import AlertViewSet
from monitoring.api.catalogue import MeView, NodeTypesView, RobotViewSet, RoomViewSet
from monitoring.api.commands import CommandViewSet
from monitoring.api.conversations import ConversationViewSet
from monitoring.api.costs import BudgetsView, SpendView
from monitoring.api.messages import MessageViewSet, OpenQuestionViewSet
from monitoring.api.runs import RunViewSet
from monitoring.api.schema import SchemaView
from monitoring.api.sending import ErrorCodesView, SendingView, UnknownSendViewSet
from monitoring.api.switches import SwitchViewSet

app_name = "api"

router = SimpleRouter()
router.register("conversations", ConversationViewSet, basename="conversation")
router.register("messages", MessageViewSet, basename="message")
router.register("open-questions", OpenQuestionViewSet, basename="open-question")
router.register("commands", CommandViewSet, basename="command")
router.register("unknown-sends", UnknownSendViewSet, basename="unknown-send")
router.register("switches", SwitchViewSet, basename="switch")
router.register("runs", RunViewSet, basename="run")
router.register("robots", RobotViewSet, basename="robot")
router.register("rooms", RoomViewSet, basename="room")
router.register("alerts", AlertViewSet, basename="alert")

urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("v1/node-types/", NodeTypesView.as_view(), name="node-types"),
    path("v1/error-codes/", ErrorCodesView.as_view(), name="error-codes"),
    path("v1/spend/", SpendView.as_view(), name="spend"),
    path("v1/budgets/", BudgetsView.as_view(), name="budgets"),
    path("v1/sending/", SendingView.as_view(), name="sending"),
    path("v1/me/", MeView.as_view(), name="me"),
    path("v1/", include(router.urls)),
]
