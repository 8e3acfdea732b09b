"""An account with all its preferences by kubectl: applied, explained, and refused with a bullet for each fault."""

import pytest

from tests.kubectl.commands import Kubectl

pytestmark = pytest.mark.once

ACCOUNT = """\
apiVersion: billing.milo.io/v1alpha1
kind: BillingAccount
metadata: {name: de}
spec:
  currencyCode: EUR
  paymentTerms:
    netDays: 30
    invoiceFrequency: Quarterly
    invoiceDayOfMonth: 15
    businessDayConvention: FOLLOWING
    earlyPaymentDiscount: {percent: "2", days: 10}
    latePaymentPenalty: {annualRatePercent: "9.12", graceDays: 5}
  paymentProfile:
    sepaDebitCore: {mandateReference: M-1, mandateSignedDate: "2026-01-15", ibanToken: ba-1}
  preferences:
    country: DE
    customerKind: business
    taxRegistrations:
    - {country: DE, number: DE136695976}
    - {country: FR, number: FR40303265045}
    invoiceLanguage: de-DE
    invoiceFormat: XRECHNUNG
    eInvoicing:
      standard: XRECHNUNG
      identifiers: {peppolParticipantId: "9930:de136695976"}
    dataResidency: EU
"""


def test_an_account_with_full_preferences_is_applied_and_stays_as_it_was_applied(admin: Kubectl) -> None:
    assert admin("apply", "-f-", stdin=ACCOUNT) == "billingaccount.billing.milo.io/de created\n"
    assert admin("apply", "-f-", stdin=ACCOUNT) == "billingaccount.billing.milo.io/de unchanged\n"
    assert "condition met" in admin("wait", "ba/de", "--for=condition=Compliant", "--timeout=5s")
    forms = admin("get", "ba", "de", "-o=jsonpath={.status.taxRegistrations[*].form}")
    assert forms == "FormatValid FormatValid"
    path = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccounts/de/paymentschedule"
    assert '"invoiceDate"' in admin("get", "--raw", f"{path}?after=2026-01-01&count=2")


def test_what_breaks_a_rule_is_refused_with_a_bullet_for_each_fault(admin: Kubectl) -> None:
    wrong = ACCOUNT.replace("country: DE\n", "country: FR\n").replace("netDays: 30", "netDays: 61")
    wrong = wrong.replace("DE136695976}", "DE136695978}").replace("dataResidency: EU", "dataResidency: Moon")
    bullets = admin.refused("apply", "-f-", stdin=wrong)
    assert bullets.startswith('The BillingAccount "de" is invalid: \n')
    assert "* spec.paymentTerms.netDays: 61 net days are over the 60 that France allows" in bullets
    assert "(rule terms.cap.FR, confidence " in bullets
    assert "* spec.preferences.taxRegistrations[0].number: is no USt-IdNr of Germany" in bullets
    assert "* spec.preferences.dataResidency: is neither a region" in bullets
    assert "(NotFound)" in admin.refused("get", "ba", "de")


def test_preferences_and_methods_are_explained(admin: Kubectl) -> None:
    assert "ISO 3166-1 alpha-2 country of the customer" in admin("explain", "ba.spec.preferences")
    assert "Peppol participant" in admin("explain", "ba.spec.preferences.eInvoicing.identifiers")
    method = admin("explain", "ba.spec.paymentProfile.sepaDebitCore")
    assert "ibanToken\t<string> -required-" in method
    assert "never an account number or IBAN" in method
    assert "over 0 and under 100" in admin("explain", "ba.spec.paymentTerms.earlyPaymentDiscount")
