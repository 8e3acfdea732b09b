"""`kubectl get -A` over every account: pages of 500, with a constant number of queries and flat memory."""

import time

import orjson

from benchmarks.report import Report
from benchmarks.servers import Failed
from benchmarks.stage import Stage

PATH = "/apis/billing.milo.io/v1alpha1/billingaccounts?limit=500"


def run(stage: Stage) -> Report:
    names: set[tuple[str, str]] = set()
    seconds, queries, memory, token = [], [], [], ""
    with stage.milo.client(stage.data.operator) as client:
        while True:
            path = f"{PATH}&continue={token}"
            begun = time.perf_counter()
            page = orjson.loads(client.get(path))
            seconds.append(time.perf_counter() - begun)
            memory.append(stage.milo.memory_mib())
            names |= {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in page["items"]}
            if len(seconds) % 20 == 1:
                queries.append(client.queries_of(path))
            token = page["metadata"].get("continue", "")
            if not token:
                break
    if len(names) != stage.data.accounts:
        raise Failed(f"{len(names)} of {stage.data.accounts} accounts were listed")
    facts = {
        "accounts": stage.data.accounts,
        "pages": len(seconds),
        "accounts/s": round(stage.data.accounts / sum(seconds)),
        "first page ms": round(seconds[0] * 1000, 1),
        "last full page ms": round(seconds[-2] * 1000, 1),
        "slowest page ms": round(max(seconds) * 1000, 1),
        "queries of a page, least": min(queries),
        "queries of a page, most": max(queries),
        "server memory MiB after the first page": round(memory[0], 1),
        "server memory MiB after the last page": round(memory[-1], 1),
    }
    return Report("Page through all accounts, 500 at a time", facts=facts)
