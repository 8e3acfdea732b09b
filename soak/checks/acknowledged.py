"""Every acknowledged action is there once, and nothing is there that was refused or that nobody asked for."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from soak.evidence import Evidence, refused

OBJECTS = {
    "open": """SELECT o.name AS organization, a.name, a.uid FROM billing_billingaccount a
        JOIN projects_organization o ON o.id = a.organization_id""",
    "project": """SELECT o.name AS organization, p.name, p.uid FROM projects_project p
        JOIN projects_organization o ON o.id = p.organization_id""",
    "request": """SELECT o.name AS organization, r.name, r.uid FROM billing_approvalrequest r
        JOIN projects_organization o ON o.id = r.organization_id""",
    "affiliate": """SELECT o.name AS organization, f.name, f.uid FROM billing_billingaccountaffiliation f
        JOIN projects_organization o ON o.id = f.organization_id""",
    "plan": """SELECT o.name AS organization, c.name, c.uid FROM billing_payerchange c
        JOIN projects_organization o ON o.id = c.organization_id""",
}
EFFECTS = {
    "Reactivate": "BillingAccountReactivated",
    "Close": "BillingAccountClosed",
    "Reopen": "BillingAccountReopened",
    "CorrectPayer": "PayerCorrected",
}


def objects(evidence: Evidence) -> Iterator[str]:
    """Compare accounts, affiliations, projects, requests and plans with what the clients made, by name and uid."""
    for action, statement in OBJECTS.items():
        rows = {(row["organization"], row["name"]): str(row["uid"]) for row in evidence.query(statement)}
        asked = {}
        for record, acknowledged in evidence.of(action):
            name = record["organization"], record["name"]
            asked[name] = record
            if acknowledged and rows.get(name) != record["answer"]["uid"]:
                yield f"{action} {name} was acknowledged as {record['answer']['uid']}, and is {rows.get(name)}"
            elif refused(record) and name in rows:
                yield f"{action} {name} was refused with {record['status']}, and is there"
        for name in rows.keys() - asked.keys():
            yield f"{action} {name} is there, and nobody asked for it"


def bindings(evidence: Evidence) -> Iterator[str]:
    """Compare the bindings: project, account and instant as acknowledged, each once."""
    statement = """SELECT o.name AS organization, b.name, p.name AS project, a.name AS account,
            to_char(b.established_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
        FROM billing_billingaccountbinding b JOIN projects_organization o ON o.id = b.organization_id
            JOIN projects_project p ON p.id = b.project_id JOIN billing_billingaccount a ON a.id = b.account_id
        -- those of plans and corrections have checks of their own
        WHERE NOT EXISTS (SELECT 1 FROM billing_payerchangeitem i WHERE i.binding_id = b.id)
            AND NOT EXISTS (SELECT 1 FROM billing_payercorrection c
                JOIN billing_approvalrequest r ON r.id = c.request_id
                WHERE NOT r.proposal ? 'until' AND c.project_id = b.project_id AND c.account_id = b.account_id
                    AND c.ends_at = b.established_at)"""
    rows = {(row["organization"], row["name"]): row for row in evidence.query(statement)}
    asked = set()
    for record, acknowledged in evidence.of("bind"):
        name = record["organization"], record["name"]
        asked.add(name)
        row = rows.get(name)
        if acknowledged:
            said = record["project"], record["account"], record["answer"].get("establishedAt")
            there = (row["project"], row["account"], row["at"]) if row else None
            if there != said:
                yield f"binding {name} was acknowledged as {said}, and is {there}"
        elif row and refused(record):
            yield f"binding {name} was refused with {record['status']}, and is there"
    for name in rows.keys() - asked:
        yield f"binding {name} is there, and nobody asked for it"


def suspensions(evidence: Evidence) -> Iterator[str]:
    """Compare suspensions with their resolutions, locks of payers, and closed months: each by a text of its own."""
    there = Counter(row["message"] for row in evidence.query("SELECT message FROM billing_suspension"))
    yield from _once("suspend", evidence, there)
    statement = "SELECT evidence ->> 'note' AS note FROM billing_suspension WHERE resolved_at IS NOT NULL"
    yield from _once("resolve", evidence, Counter(row["note"] for row in evidence.query(statement)))
    locks = evidence.query("SELECT reason, unlock_reason FROM billing_payerlock")
    yield from _once("lock", evidence, Counter(row["reason"] for row in locks))
    yield from _once("unlock", evidence, Counter(row["unlock_reason"] for row in locks if row["unlock_reason"]))
    months = evidence.query("SELECT reason FROM billing_usageclosing")
    yield from _once("month", evidence, Counter(row["reason"] for row in months))


def _once(action: str, evidence: Evidence, there: "Counter[str]") -> Iterator[str]:
    asked = set()
    for record, acknowledged in evidence.of(action):
        token = record["token"]
        asked.add(token)
        if acknowledged and there[token] != 1:
            subject = record.get("account") or record["project"]
            yield f"{action} {token} of {subject} was acknowledged, and is there {there[token]} times"
        elif there[token] > (0 if refused(record) else 1):
            yield f"{action} {token} was answered with {record['status']}, and is there {there[token]} times"
    for token in there.keys() - asked:
        yield f"{action} {token} is there, and nobody asked for it"


def decisions(evidence: Evidence) -> Iterator[str]:
    """Compare approvals with the requests, and with the effect in the history of the account, which happens once."""
    statement = """SELECT o.name AS organization, r.name, r.uid, r.phase, r.decider FROM billing_approvalrequest r
        JOIN projects_organization o ON o.id = r.organization_id"""
    requests = {(row["organization"], row["name"]): row for row in evidence.query(statement)}
    statement = """SELECT history_approval AS request, history_change_reason AS reason, count(*) AS times
        FROM billing_historicalbillingaccount
        WHERE history_approval IS NOT NULL AND history_change_reason <> 'PayerCorrected' GROUP BY 1, 2"""
    effects = {(row["request"], row["reason"]): row["times"] for row in evidence.query(statement)}
    statement = """SELECT r.uid AS request, r.phase, count(*) AS times FROM billing_payercorrection c
        JOIN billing_approvalrequest r ON r.id = c.request_id GROUP BY 1, 2"""
    for row in evidence.query(statement):
        effects[row["request"], EFFECTS["CorrectPayer"]] = row["times"]
        if row["phase"] != "Approved":
            yield f"the correction of {row['request']} is there, which is {row['phase']}"
    for record, acknowledged in evidence.of("approve"):
        if acknowledged:
            yield from _decided(record, requests.get((record["organization"], record["name"])), effects)
    for record, acknowledged in evidence.of("withdraw"):
        request = requests.get((record["organization"], record["name"]))
        if acknowledged and (request is None or request["phase"] != "Withdrawn"):
            yield f"the withdrawal of {record['name']} was acknowledged, and it is {request}"
    yield from _archived(evidence)


def _decided(record: dict[str, Any], request: dict[str, Any] | None, effects: dict[Any, int]) -> Iterator[str]:
    if request is None or (request["phase"], request["decider"]) != ("Approved", f"user:{record['person']}"):
        yield f"the approval of {record['name']} by {record['person']} was acknowledged, and it is {request}"
        return
    times = effects.get((request["uid"], EFFECTS[record["effect"]]), 0)
    if times != 1:
        yield f"{record['effect']} by {record['name']} was acknowledged, and took effect {times} times"


def _archived(evidence: Evidence) -> Iterator[str]:
    statement = """SELECT p.name, p.phase, (SELECT count(*) FROM projects_historicalproject h
            WHERE h.id = p.id AND h.history_change_reason = 'ProjectArchived') AS times FROM projects_project p"""
    projects = {row["name"]: (row["phase"], row["times"]) for row in evidence.query(statement)}
    archived = {record["name"] for record, acknowledged in evidence.of("archive") if acknowledged}
    for name in archived:
        if projects.get(name) != ("Archived", 1):
            yield f"project {name} was archived once by acknowledgement, and is {projects.get(name)}"


def usage(evidence: Evidence) -> Iterator[str]:
    """Compare the usage events with what was reported: each acknowledged one is there once, with its quantity."""
    there: dict[str, list[str]] = {}
    statement = """SELECT e.event_id, e.quantity, p.name AS project FROM billing_usageevent e
        JOIN projects_project p ON p.id = e.project_id"""
    for row in evidence.query(statement):
        there.setdefault(row["event_id"], []).append(f"{row['project']} {row['quantity'].normalize():f}")
    asked = set()
    for record, acknowledged in evidence.of("usage"):
        for identifier, project, quantity, _time in record["events"]:
            asked.add(identifier)
            said, rows = f"{project} {_plain(quantity)}", there.get(identifier, [])
            if "in the future" in str(record.get("answer", {}).get("rejected", "")):
                yield f"event {identifier} was rejected as of the future"
            elif acknowledged and not record["answer"].get("rejected") and rows != [said]:
                yield f"event {identifier} was acknowledged as {said}, and is {rows}"
            elif refused(record) and rows:
                yield f"event {identifier} was refused with {record['status']}, and is there"
    for identifier in there.keys() - asked:
        yield f"event {identifier} is there, and nobody reported it"


def _plain(quantity: str) -> str:
    return quantity.rstrip("0").rstrip(".")
