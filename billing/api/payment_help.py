"""Help texts of the fields of payment methods, for OpenAPI and `kubectl explain`."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

_REFERENCE = gettext_lazy("Reference by which the payment provider or the bank knows it.")
_TEXTS = (
    (gettext_lazy("For people, to recognise it by."), "bankName brand"),
    (
        gettext_lazy("Token of the payment provider; never a card number."),
        "cardReference billingKeyReference fingerprint",
    ),
    (
        gettext_lazy("Token of the payment provider; never an account number or IBAN."),
        "accountToken bankAccountReference cbuToken ibanToken qrIbanToken",
    ),
    (gettext_lazy("Account that was set up for this payer alone."), "virtualAccountReference virtualAccountNumberRef"),
    (gettext_lazy("Calendar day, as 2026-01-31."), "mandateSignedDate mandateValidUntil authorizationDate"),
    (gettext_lazy("ISO 3166-1 alpha-2 country."), "bankCountry issuerCountry"),
    (gettext_lazy("4 digits, for people to recognise it by."), "last4 accountLast4 cbuLast4 routingLast4"),
    (gettext_lazy("Last 4 letters or digits of the IBAN."), "ibanLast4 payerIbanLast4"),
    (gettext_lazy("checking or savings."), "accountType"),
    (gettext_lazy("BIC of the bank (ISO 9362)."), "bic"),
    (gettext_lazy("3 digits, for people to recognise it by."), "bsbLast3 institutionNumber"),
    (gettext_lazy("CLABE that was set up for this payer alone: 18 digits."), "clabeVirtualReference"),
    (gettext_lazy("true once the payer's bank has confirmed the mandate."), "debtorBankConfirmed"),
    (gettext_lazy("Entity of the Multibanco reference: 5 digits."), "entity"),
    (gettext_lazy("Month in which the card expires, 1 to 12."), "expMonth"),
    (gettext_lazy("Year in which the card expires; it is good to the end of its month."), "expYear"),
    (gettext_lazy("KID: 2 to 25 digits with a check digit."), "kidNumber"),
    (gettext_lazy("Most that a debit may be, a decimal in a string."), "mandateMaxAmount"),
    (gettext_lazy("personal or business."), "padAgreementType"),
    (gettext_lazy("E-mail address of the payer with stars, as a***@example.org."), "payerEmailMasked"),
    (gettext_lazy("CPF or CNPJ of the payer."), "payerTaxId"),
    (gettext_lazy("Identifier of the Pix charge: 26 to 35 letters or digits."), "pixTxid"),
    (gettext_lazy("QR reference of 27 digits, or a creditor reference (ISO 11649)."), "qrReference"),
    (
        gettext_lazy("What the payer writes on the transfer; a creditor reference (ISO 11649) is checked."),
        "remittanceReference",
    ),
    (gettext_lazy("2 digits, for people to recognise it by."), "sortCodeLast2 transitLast2"),
    (gettext_lazy("Token of the payment provider; never the address to pay from."), "vpaToken"),
)
_HELP = {name: text for text, names in _TEXTS for name in names.split()}


def help_of(name: str) -> str | Promise:
    """Return the help text of the field `name`; fields without a text of their own are references."""
    return _HELP.get(name, _REFERENCE)
