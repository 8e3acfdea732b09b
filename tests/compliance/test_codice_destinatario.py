"""Where the Sistema di Interscambio of Italy delivers to, and the combinations that it refuses."""

import pytest

from billing.compliance.einvoicing import EInvoicing
from tests.compliance.facts import facts, found

PEC = "fatture@pec.acme.example"


@pytest.mark.parametrize(
    ("country", "kind", "codice", "pec", "wrong"),
    [
        ("IT", "business", "ABC1234", "", ""),
        ("IT", "business", "0000000", "", ""),
        ("IT", "business", "0000000", PEC, ""),
        ("IT", "business", "", PEC, ""),
        ("IT", "business", "XXXXXXX", "", "codiceDestinatario"),
        ("IT", "business", "xxxxxxx", "", "codiceDestinatario"),
        ("IT", "individual", "XXXXXXX", "", "codiceDestinatario"),
        ("IT", "business", "UFABC1", "", "codiceDestinatario"),
        ("IT", "business", "ABC1234", PEC, "pecAddress"),
        ("IT", "government", "UFABC1", "", ""),
        ("IT", "government", "999999", "", ""),
        ("IT", "government", "ABC1234", "", "codiceDestinatario"),
        ("IT", "government", "0000000", "", "codiceDestinatario"),
        ("IT", "government", "XXXXXXX", "", "codiceDestinatario"),
        ("IT", "government", "UFABC1", PEC, "pecAddress"),
        ("IT", "business", "", "sdi01@pec.fatturapa.it", "pecAddress"),
        ("DE", "business", "XXXXXXX", "", ""),
        ("SM", "business", "2R4GTO8", "", ""),
        ("FR", "government", "XXXXXXX", "", ""),
        ("FR", "government", "UFABC1", "", "codiceDestinatario"),
    ],
)
def test_what_the_exchange_refuses_is_refused(country: str, kind: str, codice: str, pec: str, wrong: str) -> None:
    given = EInvoicing("FATTURAPA_SDI", codice_destinatario=codice, pec_address=pec).normalised()
    causes = given.causes(government=kind == "government", country=country)
    assert [cause.field.rpartition(".")[2] for cause in causes] == ([wrong] if wrong else [])


@pytest.mark.parametrize(
    ("country", "kind", "given", "silent"),
    [
        ("IT", "business", EInvoicing("FATTURAPA_SDI", pec_address=PEC), True),
        ("IT", "business", EInvoicing("FATTURAPA_SDI", codice_destinatario="0000000"), True),
        ("IT", "individual", EInvoicing("FATTURAPA_SDI"), True),
        ("IT", "business", EInvoicing("FATTURAPA_SDI"), False),
        ("IT", "government", EInvoicing("FATTURAPA_SDI", pec_address=PEC), False),
        ("DE", "individual", EInvoicing("FATTURAPA_SDI"), False),
    ],
)
def test_only_who_cannot_be_reached_is_warned_of(country: str, kind: str, given: EInvoicing, silent: bool) -> None:
    warnings = found("einvoice.identifier", facts(country, customer_kind=kind, e_invoicing=given))
    assert (warnings == []) is silent
