"""The checks: each reads the evidence and yields a sentence for everything that should not be.

Every check has its name here, by which `soak.selftest` says which one found a planted fault.
"""

from soak.checks import acknowledged, answers, api, approvals, chain, notices, payers, plans, timelines, usage, watches
from soak.evidence import Check

CHECKS: dict[str, Check] = {
    "acknowledged-objects": acknowledged.objects,
    "acknowledged-bindings": acknowledged.bindings,
    "acknowledged-suspensions": acknowledged.suspensions,
    "acknowledged-decisions": acknowledged.decisions,
    "acknowledged-usage": acknowledged.usage,
    "one-payer": timelines.one_payer,
    "time-goes-forward": timelines.goes_forward,
    "closed-pays-nothing": timelines.closed_pays_nothing,
    "instants-true": timelines.instants_true,
    "plans-take-effect": plans.take_effect,
    "locked-stay": plans.locked_stay,
    "payers-of-record": payers.of_record,
    "four-eyes": approvals.four_eyes,
    "notices-owed": notices.owed,
    "notices-delivered": notices.delivered,
    "usage-sums": usage.sums,
    "watches-complete": watches.complete,
    "api-agrees": api.agrees,
    "chain": chain.verifies,
    "answers": answers.expected,
    "recovery": answers.recovery,
    "survival": answers.survival,
    "no-deadlock": answers.no_deadlock,
}
