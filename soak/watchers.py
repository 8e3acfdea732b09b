"""Watchers: one for each kind, which resumes where it was cut off and logs every event."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from soak.actions import BILLING, RESOURCES
from soak.records import Records

KINDS = {
    "billingaccounts.billing.milo.io": f"{BILLING}/billingaccounts",
    "billingaccountbindings.billing.milo.io": f"{BILLING}/billingaccountbindings",
    "billingaccountaffiliations.billing.milo.io": f"{BILLING}/billingaccountaffiliations",
    "approvalrequests.billing.milo.io": f"{BILLING}/approvalrequests",
    "payerchanges.billing.milo.io": f"{BILLING}/payerchanges",
    "projects.resources.milo.io": f"{RESOURCES}/projects",
}
TIMEOUT_SECONDS = 90.0
"""Longer than the minute between two bookmarks."""


class Watcher(threading.Thread):
    """Watches one kind from its first revision on, at a web process chosen anew each time."""

    def __init__(
        self, resource: str, token: str, ports: Sequence[int], log: Records, stopped: Callable[[], bool], seed: int
    ) -> None:
        super().__init__(daemon=True, name=f"watcher-{resource}")
        self.resource, self._token, self._ports, self._log, self._stopped = resource, token, ports, log, stopped
        self._random = random.Random(seed)
        self.version = 0
        """The newest resourceVersion that was received, of an event or a bookmark."""

    def run(self) -> None:
        while not self._stopped():
            try:
                self._watch()
            except (OSError, http.client.HTTPException):
                time.sleep(0.3)

    def _watch(self) -> None:
        """Follow one stream to its end; what is logged is an event that was received whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self._random.choice(self._ports), timeout=TIMEOUT_SECONDS)
        try:
            # from 1 on: 0 would begin with the present state, and leave out what led to it
            query = f"?watch=true&allowWatchBookmarks=true&resourceVersion={self.version or 1}"
            path = KINDS[self.resource] + query
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            response = connection.getresponse()
            if response.status != 200:
                response.read()
                time.sleep(0.3)
                return
            while not self._stopped() and (line := response.readline()).endswith(b"\n"):
                self._take(json.loads(line))
        finally:
            connection.close()

    def _take(self, event: dict[str, Any]) -> None:
        metadata = event["object"].get("metadata", {})
        if event["type"] == "ERROR":
            self._log.append({"resource": self.resource, "error": event["object"].get("message", "")})
            time.sleep(0.3)
            return
        version = int(metadata["resourceVersion"])
        if event["type"] != "BOOKMARK":
            record = {"resource": self.resource, "type": event["type"], "version": version, "uid": metadata["uid"]}
            self._log.append(record)
        self.version = max(self.version, version)
