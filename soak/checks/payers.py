"""Payers of record are those of the affiliations, for accounts and for each month."""

from collections.abc import Iterator

from soak.evidence import Evidence
from soak.processes import NotStarted

# up from each account for as long as a parent pays; the last one is invoiced
RECOUNTED = """WITH RECURSIVE up(account, payer) AS (
        SELECT id, id FROM billing_billingaccount
        UNION SELECT up.account, f.parent_id FROM up JOIN billing_billingaccountaffiliation f ON f.account_id = up.payer
            WHERE f.phase = 'Active' AND f.payer = 'Parent')
    SELECT a.name, p.name AS payer, w.name AS paid_by, o.payer_id IS NOT DISTINCT FROM up.payer AS derived
    FROM up JOIN billing_billingaccount a ON a.id = up.account JOIN billing_billingaccount p ON p.id = up.payer
        LEFT JOIN billing_billingaccount w ON w.id = a.paid_by_id
        LEFT JOIN billing_accountpayer o ON o.account_id = a.id AND o.until_month IS NULL
    WHERE NOT EXISTS (SELECT 1 FROM billing_billingaccountaffiliation f
        WHERE f.account_id = up.payer AND f.phase = 'Active' AND f.payer = 'Parent')"""


def of_record(evidence: Evidence) -> Iterator[str]:
    """Recount who is invoiced for each account, and have Milo do so; a plan that is cancelled stays so."""
    rows = evidence.query(RECOUNTED)
    for row in rows:
        paid_by = row["paid_by"] or row["name"]
        if row["payer"] != paid_by or not (row["derived"] or paid_by == row["name"]):
            yield f"{row['name']} is paid by {paid_by}, and by its affiliations by {row['payer']}"
    if not any(row["paid_by"] for row in rows):
        yield "no account is paid by another"
    statement = """SELECT o.name AS organization, f.name, f.phase FROM billing_billingaccountaffiliation f
        JOIN projects_organization o ON o.id = f.organization_id"""
    phases = {(row["organization"], row["name"]): row["phase"] for row in evidence.query(statement)}
    for record, acknowledged in evidence.of("disaffiliate"):
        if acknowledged and (phase := phases.get((record["organization"], record["name"]))) != "Cancelled":
            yield f"the cancellation of {record['name']} was acknowledged, and it is {phase}"
    try:
        evidence.milo.manage("hierarchy", "verify")
    except NotStarted as error:
        yield str(error)[-600:]
