"""Every notice that is owed was delivered, under one Message-ID.

What is owed is reckoned from suspensions, requests, bindings and addresses, never from the outbox.
"""

from collections import defaultdict
from collections.abc import Iterator

from soak import people
from soak.evidence import Evidence

# of the account that was suspended, and of those that it is payer of record of
CONTACTS = """SELECT s.message AS token, c.address FROM billing_suspension s
        JOIN billing_billingaccountbinding b ON (b.account_id = s.account_id OR b.account_id IN (
                SELECT f.account_id FROM billing_billingaccountaffiliation f
                WHERE f.parent_id = s.account_id AND f.payer = 'Parent' AND f.activated_at <= s.suspended_at
                    AND (f.finished_at IS NULL OR f.finished_at > s.suspended_at)))
            AND b.established_at <= s.suspended_at AND (b.ended_at IS NULL OR b.ended_at > s.suspended_at)
        JOIN projects_project p ON p.id = b.project_id
        CROSS JOIN LATERAL jsonb_array_elements_text(p.contact_email_addresses) AS c(address)
    UNION SELECT s.message, c.address FROM billing_suspension s JOIN billing_billingaccount a ON a.id = s.account_id
        CROSS JOIN LATERAL jsonb_array_elements_text(a.invoice_email_addresses) AS c(address)
    UNION SELECT s.message, 'admin-' || o.name || %s FROM billing_suspension s
        JOIN billing_billingaccount a ON a.id = s.account_id JOIN projects_organization o ON o.id = a.organization_id"""
REQUESTS = """SELECT r.uid, r.name, r.phase, r.requester, o.name AS organization, r.act,
        a.invoice_email_addresses AS invoices, COALESCE(p.contact_email_addresses, '[]') AS contacts
    FROM billing_approvalrequest r JOIN projects_organization o ON o.id = r.organization_id
        JOIN billing_billingaccount a ON a.id = r.account_id
        LEFT JOIN projects_project p ON p.name = r.proposal ->> 'project' AND p.organization_id = o.id"""


def owed(evidence: Evidence) -> Iterator[str]:
    """Compare suspensions with the mails: one message to each contact, whose text has that of the suspension."""
    received: dict[tuple[str, str], set[str]] = defaultdict(set)
    for mail in evidence.mails:
        for word in mail["text"].split():
            if word.startswith("suspension-"):
                received[word.rstrip("."), mail["to"][0]].add(mail["id"])
    expected = {(row["token"], row["address"]) for row in evidence.query(CONTACTS, f"@{people.MAIL_DOMAIN}")}
    for token, address in expected:
        messages = received.get((token, address), set())
        if len(messages) != 1:
            yield f"{address} is owed one notice of {token}, and got {len(messages)}: {sorted(messages)}"
    for token, address in received.keys() - expected:
        yield f"{address} got a notice of {token}, which it is not owed"
    yield from _of_requests(evidence)


def _of_requests(evidence: Evidence) -> Iterator[str]:
    """Each request is owed to the approvers, each decision to the requester and the billing-admin.

    A correction is owed to the contacts of the account that should have paid and of the project, too.
    """
    approvers = {people.address(name) for name, groups in people.groups().items() if "finance-approver" in groups}
    mailed = {(mail["id"], mail["to"][0]) for mail in evidence.mails}
    delivered: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in evidence.query("SELECT uid, about, cause_uid, recipient FROM billing_notice"):
        if (f"<{row['uid']}@{people.MAIL_DOMAIN}>", row["recipient"]) in mailed:
            delivered[row["about"], str(row["cause_uid"])].add(row["recipient"])
    for row in evidence.query(REQUESTS):
        expected = {"AwaitingDecision": approvers}
        if row["phase"] in ("Approved", "Withdrawn"):
            admin = people.address(people.admin(row["organization"]))
            expected["Decided"] = {admin, people.address(row["requester"].removeprefix("user:"))}
        if row["phase"] == "Approved" and row["act"] == "CorrectPayer":
            expected["PayerCorrected"] = {admin, *row["contacts"], *row["invoices"]}
        for about, addresses in expected.items():
            if missing := addresses - delivered[about, str(row["uid"])]:
                yield f"{sorted(missing)} are owed a notice of {row['name']} ({about})"


def delivered(evidence: Evidence) -> Iterator[str]:
    """Compare the outbox with the mails: nothing waits or was given up, and no Message-ID has two readers."""
    statement = "SELECT uid, about, recipient, phase, last_error FROM billing_notice"
    readers: dict[str, set[str]] = defaultdict(set)
    for mail in evidence.mails:
        readers[mail["id"]].update(mail["to"])
    for row in evidence.query(statement):
        identifier = f"<{row['uid']}@{people.MAIL_DOMAIN}>"
        if row["phase"] != "Delivered":
            yield f"the notice {row['about']} to {row['recipient']} is {row['phase']}: {row['last_error']}"
        elif readers[identifier] != {row["recipient"]}:
            yield f"{identifier} to {row['recipient']} is delivered by the outbox, and got to {readers[identifier]}"
    for row in evidence.query("SELECT reason FROM billing_announcement WHERE done_at IS NULL"):
        yield f"an announcement of {row['reason']} was not made"
