"""`/api/v1/conversations/` and what belongs to them, `workers/`, and the quickstart's own address."""

from __future__ import annotations

from django.urls import path

from conversations import between, naming  # noqa: F401 - what the log shows of conversations
from conversations.api import (
    conversations,
    drift,
    echoes,
    interactions,
    lines,
    lists,
    queueing,
    record,
    scripts,
    stopping,
    streamed,
    webhooks,
    workers,
)
from conversations.live import events
from conversations.within import its_conversation
from echoadmin.accounts.limits import anywhere, reading

ONE = "conversations/<str:any_id>/"
ECHO = f"{ONE}echoes/<str:inference_id>/"

urlpatterns = [
    path("conversations/", conversations.ConversationList.as_view(within=anywhere)),
    path("conversations/sync/", conversations.ConversationsSync.as_view()),
    path(ONE, conversations.ConversationOne.as_view(within=its_conversation)),
    path(f"{ONE}join/", conversations.Join.as_view(within=its_conversation)),
    path(f"{ONE}leave/", conversations.Leave.as_view(within=its_conversation)),
    path(f"{ONE}end/", conversations.End.as_view(within=its_conversation)),
    path(f"{ONE}adopt/", conversations.Adopt.as_view(within=its_conversation)),
    path(f"{ONE}sync/", conversations.ConversationSync.as_view(within=its_conversation)),
    path(f"{ONE}drift/", drift.ConversationDrift.as_view(within=its_conversation)),
    path(f"{ONE}interrupt/", echoes.Interrupt.as_view(within=its_conversation)),
    path(f"{ONE}interactions/", echoes.Interactions.as_view(within=its_conversation)),
    path(f"{ONE}echoes/", echoes.EchoList.as_view(within=its_conversation)),
    path(ECHO, echoes.EchoOne.as_view(within=its_conversation)),
    path(f"{ECHO}again/", echoes.EchoAgain.as_view(within=its_conversation)),
    path(f"{ECHO}approve/", queueing.EchoApprove.as_view(within=its_conversation)),
    path(f"{ECHO}reject/", queueing.EchoReject.as_view(within=its_conversation)),
    path(f"{ONE}floor/", queueing.Floor.as_view(within=its_conversation)),
    path(f"{ONE}latencies/", queueing.ConversationLatencies.as_view(within=its_conversation)),
    path("latencies/", queueing.AllLatencies.as_view(within=anywhere)),
    path(f"{ECHO}audio/", streamed.EchoAudio.as_view(within=its_conversation)),
    path(f"{ONE}messages/", lists.ConversationMessages.as_view(within=its_conversation)),
    path(f"{ONE}entries/", lists.ConversationEntries.as_view(within=its_conversation)),
    path(f"{ONE}entries/stream/", events.ConversationEntryEvents.as_view(within=its_conversation)),
    path("entries/stream/", events.AllEntryEvents.as_view(within=anywhere)),
    path(f"{ONE}timeline/", record.ConversationTimeline.as_view(within=its_conversation)),
    path(f"{ONE}gaps/", record.ConversationGaps.as_view(within=its_conversation)),
    path("entries/gaps/", record.AllGaps.as_view(within=anywhere)),
    path("lines/", lines.LineList.as_view(within=reading)),
    path("lines/<str:line_id>/", lines.LineOne.as_view(within=reading)),
    path("stop/", stopping.Stop.as_view()),
    path("interactions/catalogue/", interactions.Catalogue.as_view(within=anywhere)),
    path("scripts/", scripts.ScriptList.as_view(within=reading)),
    path("scripts/clips/", scripts.ScriptClips.as_view()),
    path("scripts/<str:script_id>/", scripts.ScriptOne.as_view(within=reading)),
    path("scripts/<str:script_id>/run/", scripts.ScriptRun.as_view()),
    path("webhooks/", webhooks.WebhookList.as_view()),
    path("webhooks/secret/", webhooks.WebhookSecret.as_view()),
    path("webhooks/secret/rotate/", webhooks.WebhookSecretRotate.as_view()),
    path("webhooks/<str:webhook_id>/", webhooks.WebhookOne.as_view()),
    path("webhooks/<str:webhook_id>/process/", webhooks.WebhookProcess.as_view()),
    path("workers/", workers.WorkerList.as_view()),
    path("workers/<str:name>/", workers.WorkerOne.as_view()),
    path("workers/<str:name>/drain/", workers.WorkerDrain.as_view()),
    path("workers/<str:name>/resume/", workers.WorkerResume.as_view()),
]
