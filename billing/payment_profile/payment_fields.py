"""The fields of payment methods: references to data of a provider or a bank, and the parts that may be displayed.

A token field accepts nothing that one could pay with: no card number, no card verification value, no bank account
number, no IBAN. Every field that `data/payment_methods.csv` requires or allows has its form here.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext as _
from stdnum import iban

from billing.payment_profile import payment_forms as forms
from milo import card_numbers

REFERENCE_LENGTH = 200
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_IBAN_LENGTHS = range(15, 35)


def _never(value: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class PaymentField:
    """A field: its JSON `type` (string, integer, boolean; a `format` of date or decimal is a string) and its form.

    `form` returns what is wrong with a value of that type, or the empty text. Card numbers are not searched for in a
    field that `holds_account_number`, nor in a value that `is_number`: one in ten such numbers would pass for a card
    number (docs/compliance.md, "Card numbers").
    """

    form: forms.Form = forms.anything
    type: type = str
    format: str = ""
    holds_account_number: bool = False
    is_number: Callable[[str], bool] = _never

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value of the manifest, empty if nothing is. The value is not repeated."""
        if type(value) is not self.type:
            return _("must be a %(type)s") % {"type": _TYPES[self.type]}
        if isinstance(value, str):
            if len(value) > REFERENCE_LENGTH:
                return _("is too long")
            searched = not self.holds_account_number and not self.is_number(value)
            if searched and (secret := secret_in(value)):
                return secret
        return self.form(value)


_TYPES = {str: "string", int: "integer", bool: "boolean"}


def secret_in(text: str) -> str:
    """Return a message if the text holds something to pay with, a card number or an IBAN; else the empty text."""
    if card_numbers.found_in(text):
        return _("looks like a card number; give a token reference of the payment provider instead")
    if holds_iban(text):
        return _("looks like an IBAN; give a token reference of the payment provider instead")
    return ""


def holds_iban(text: str) -> bool:
    """Return whether consecutive words of `text`, joined without blanks and dashes, are a valid IBAN."""
    words = [word for word in _SEPARATORS.split(unicodedata.normalize("NFKC", text)) if word]
    for start, word in enumerate(words):
        joined = ""
        for word in words[start:]:
            joined += word
            if len(joined) in _IBAN_LENGTHS and iban.is_valid(joined):
                return True
            if len(joined) > _IBAN_LENGTHS.stop:
                break
    return False


_REFERENCE = PaymentField()
_TOKEN = PaymentField(forms.token)
_ACCOUNT_TOKEN = PaymentField(forms.account_token)
_VIRTUAL_ACCOUNT = PaymentField(
    forms.matching(r"[\w.:/ -]{3,64}", lambda: _("is no account reference")), holds_account_number=True
)
_DAY = PaymentField(forms.day, format="date")
_COUNTRY = PaymentField(forms.country)
_LAST_2, _LAST_3, _LAST_4 = (PaymentField(forms.digits(count, count)) for count in (2, 3, 4))

FIELDS: Mapping[str, PaymentField] = MappingProxyType(
    {
        **dict.fromkeys(
            [
                "agreementReference",
                "billingAgreementReference",
                "confirmationNumber",
                "creditApprovalReference",
                "ddaReference",
                "mandateReference",
                "payToAgreementReference",
                "payerAddress",
                "paymentCode",
                "paymentReference",
                "pixRecurrenceId",
                "poReference",
                "sadadBillReference",
                "umn",
                "umrn",
                "voucherReference",
                "walletAgreementReference",
                "walletReference",
                "bankName",
                "brand",
            ],
            _REFERENCE,
        ),
        **dict.fromkeys(["cardReference", "billingKeyReference", "fingerprint"], _TOKEN),
        **dict.fromkeys(
            ["accountToken", "bankAccountReference", "cbuToken", "ibanToken", "qrIbanToken"], _ACCOUNT_TOKEN
        ),
        **dict.fromkeys(["virtualAccountReference", "virtualAccountNumberRef"], _VIRTUAL_ACCOUNT),
        **dict.fromkeys(["mandateSignedDate", "mandateValidUntil", "authorizationDate"], _DAY),
        **dict.fromkeys(["bankCountry", "issuerCountry"], _COUNTRY),
        **dict.fromkeys(["last4", "accountLast4", "cbuLast4", "routingLast4"], _LAST_4),
        # an IBAN may end in letters
        **dict.fromkeys(
            ["ibanLast4", "payerIbanLast4"],
            PaymentField(forms.matching(r"[A-Z0-9]{4}", lambda: _("must be 4 letters or digits"))),
        ),
        "accountType": PaymentField(forms.one_of("checking", "savings")),
        "bic": PaymentField(forms.bic),
        "boletoReference": PaymentField(is_number=forms.is_boleto),
        "bsbLast3": _LAST_3,
        "clabeVirtualReference": PaymentField(forms.clabe, holds_account_number=True),
        "debtorBankConfirmed": PaymentField(forms.confirmed, bool),
        "entity": PaymentField(forms.digits(5, 5)),
        "expMonth": PaymentField(forms.between(1, 12), int),
        "expYear": PaymentField(forms.between(2000, 2099), int),
        "institutionNumber": _LAST_3,
        "kidNumber": PaymentField(forms.kid, is_number=forms.valid(forms.kid)),
        "mandateMaxAmount": PaymentField(forms.amount, format="decimal"),
        "padAgreementType": PaymentField(forms.one_of("personal", "business")),
        "payerEmailMasked": PaymentField(
            forms.matching(r"[^@]*\*[^@]*@.+", lambda: _("must be an e-mail address with stars"))
        ),
        "payerTaxId": PaymentField(forms.payer_tax_id, holds_account_number=True),
        "pixTxid": PaymentField(forms.matching(r"[A-Za-z0-9]{26,35}", lambda: _("must be 26 to 35 letters or digits"))),
        "qrReference": PaymentField(forms.qr_reference, is_number=forms.valid(forms.qr_reference)),
        "remittanceReference": PaymentField(forms.remittance),
        "sortCodeLast2": _LAST_2,
        "transitLast2": _LAST_2,
        "vpaToken": PaymentField(forms.vpa_token),
    }
)

NUMBERS = frozenset(
    name for name, field in FIELDS.items() if field.holds_account_number or field.is_number is not _never
)
"""The fields that may hold account numbers or other numbers, which are not searched for card numbers."""
