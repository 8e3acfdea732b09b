"""What belongs into each field of a payment method; `kubectl explain` says it."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_REFERENCE = _("Reference by which the payment provider or the bank knows it.")
_TEXTS = (
    (_("For people, to recognise it by."), "bankName brand"),
    (_("Token of the payment provider; never a card number."), "cardReference billingKeyReference fingerprint"),
    (
        _("Token of the payment provider; never an account number or IBAN."),
        "accountToken bankAccountReference cbuToken ibanToken qrIbanToken",
    ),
    (_("Account that was set up for this payer alone."), "virtualAccountReference virtualAccountNumberRef"),
    (_("Calendar day, as 2026-01-31."), "mandateSignedDate mandateValidUntil authorizationDate"),
    (_("ISO 3166-1 alpha-2 country."), "bankCountry issuerCountry"),
    (_("4 digits, for people to recognise it by."), "last4 accountLast4 cbuLast4 routingLast4"),
    (_("Last 4 letters or digits of the IBAN."), "ibanLast4 payerIbanLast4"),
    (_("checking or savings."), "accountType"),
    (_("BIC of the bank (ISO 9362)."), "bic"),
    (_("3 digits, for people to recognise it by."), "bsbLast3 institutionNumber"),
    (_("CLABE that was set up for this payer alone: 18 digits."), "clabeVirtualReference"),
    (_("true once the payer's bank has confirmed the mandate."), "debtorBankConfirmed"),
    (_("Entity of the Multibanco reference: 5 digits."), "entity"),
    (_("Month in which the card expires, 1 to 12."), "expMonth"),
    (_("Year in which the card expires; it is good to the end of its month."), "expYear"),
    (_("KID: 2 to 25 digits with a check digit."), "kidNumber"),
    (_("Most that a debit may be, a decimal in a string."), "mandateMaxAmount"),
    (_("personal or business."), "padAgreementType"),
    (_("E-mail address of the payer with stars, as a***@example.org."), "payerEmailMasked"),
    (_("CPF or CNPJ of the payer."), "payerTaxId"),
    (_("Identifier of the Pix charge: 26 to 35 letters or digits."), "pixTxid"),
    (_("QR reference of 27 digits, or a creditor reference (ISO 11649)."), "qrReference"),
    (_("What the payer writes on the transfer; a creditor reference (ISO 11649) is checked."), "remittanceReference"),
    (_("2 digits, for people to recognise it by."), "sortCodeLast2 transitLast2"),
    (_("Token of the payment provider; never the address to pay from."), "vpaToken"),
)
_HELP = {name: text for text, names in _TEXTS for name in names.split()}


def help_of(name: str) -> str | Promise:
    """What belongs into the field `name`: a reference, unless it is something else."""
    return _HELP.get(name, _REFERENCE)
