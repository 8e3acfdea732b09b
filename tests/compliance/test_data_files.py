import ast
import csv
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

import billing
from billing.compliance.dataset import DATA, data, load
from billing.compliance.jurisdictions import TermCap
from billing.compliance.table import BrokenData

Edit = Callable[[str, int, str, str], Path]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(rows)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "data"))


@pytest.fixture
def edited(copy: Path) -> Edit:
    def edit(file: str, number: int, column: str, value: str) -> Path:
        rows = rows_of(copy / file)
        rows[number - 1][rows[0].index(column)] = value
        write(copy / file, rows)
        return copy

    return edit


def test_every_row_is_loaded() -> None:
    files = data()
    assert len(files.jurisdictions) == 52
    assert sum(map(len, files.mandates.values())) == 73
    assert len(files.methods) == 60
    assert len(rows_of(DATA / "payment_methods.csv")) == 61
    for name, loaded in [
        ("sources.tsv", files.sources),
        ("jurisdictions.csv", files.jurisdictions),
        ("payment_methods.csv", files.methods),
        ("einvoice_standards.csv", files.standards),
        ("peppol_schemes.csv", files.peppol_schemes),
        ("weekends.csv", [row for rows in files.weekends.values() for row in rows]),
        ("tax_numbers.csv", [number for numbers in files.tax_numbers.values() for number in numbers]),
    ]:
        assert len(rows_of(DATA / name)) - 1 == len(loaded), name


def test_the_files_are_loaded_once_and_cannot_be_altered() -> None:
    assert data() is data()
    with pytest.raises(TypeError):
        data().jurisdictions["XX"] = ()  # type: ignore[index]
    with pytest.raises(AttributeError):
        data().jurisdictions["DE"][0].currency = "USD"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("file", "row", "column", "value"),
    [
        ("jurisdictions.csv", 2, "country", "ZZ"),
        ("jurisdictions.csv", 3, "country", "AT"),
        ("jurisdictions.csv", 3, "country", ""),
        ("jurisdictions.csv", 4, "currency", "BGN"),
        ("jurisdictions.csv", 5, "effective_from", "01.01.2027"),
        ("jurisdictions.csv", 6, "group", "EUROPE"),
        ("jurisdictions.csv", 9, "b2b_tax_id_required", "MAYBE"),
        ("jurisdictions.csv", 10, "einvoice_optional", "FINVOICE;FAX"),
        ("jurisdictions.csv", 11, "peppol_eas", "0002|9"),
        ("jurisdictions.csv", 12, "language_default", "german"),
        ("jurisdictions.csv", 3, "language_rule", "REGIONAL"),
        ("jurisdictions.csv", 13, "retention_years", "five"),
        ("jurisdictions.csv", 13, "retention_years", "0"),
        ("jurisdictions.csv", 14, "retention_start", "SOON"),
        ("jurisdictions.csv", 15, "residency_mode", "STRICT"),
        ("jurisdictions.csv", 16, "residency_home_region", "Europe"),
        ("jurisdictions.csv", 17, "residency_allowed", "EU|MOON"),
        ("jurisdictions.csv", 18, "max_net_days_b2b", "366"),
        ("jurisdictions.csv", 27, "max_net_days_b2b", ""),
        ("jurisdictions.csv", 19, "max_net_kind", "SOFT"),
        ("jurisdictions.csv", 20, "conf_tax", "X"),
        ("jurisdictions.csv", 21, "conf_net", ""),
        ("jurisdictions.csv", 22, "unsourced", "net,weather"),
        ("jurisdictions.csv", 23, "sources", "STDNUM;NOWHERE"),
        ("jurisdictions.csv", 24, "name", " Slovakia"),
        ("einvoice_mandates.csv", 2, "country", "ZZ"),
        ("einvoice_mandates.csv", 3, "standard", "PEPPOL_BIS9"),
        ("einvoice_mandates.csv", 4, "scope", "EVERYBODY"),
        ("einvoice_mandates.csv", 5, "effective_from", ""),
        ("einvoice_mandates.csv", 5, "effective_from", "2026-02-30"),
        ("einvoice_mandates.csv", 6, "effective_to", "2025-12-31"),
        ("einvoice_mandates.csv", 7, "status", "RUMOUR"),
        ("einvoice_mandates.csv", 8, "kind", "FAX"),
        ("einvoice_mandates.csv", 9, "sourced", "perhaps"),
        ("einvoice_mandates.csv", 10, "source", "NOWHERE"),
        ("einvoice_mandates.csv", 10, "source", ""),
        ("payment_methods.csv", 2, "method", "Credit Card"),
        ("payment_methods.csv", 2, "family", "gold"),
        ("payment_methods.csv", 4, "countries_payer", "AT|UK"),
        ("payment_methods.csv", 4, "currencies", "EUR|EUR"),
        ("payment_methods.csv", 5, "currencies", "XAU"),
        ("payment_methods.csv", 6, "recurring", "often"),
        ("payment_methods.csv", 7, "required_reference_fields", ""),
        ("payment_methods.csv", 7, "required_reference_fields", "Bank Account"),
        ("payment_methods.csv", 8, "optional_display_fields", "a;;b"),
        ("payment_methods.csv", 9, "confidence", "high"),
        ("payment_methods.csv", 10, "source", "NOWHERE"),
        ("payment_areas.csv", 2, "country", "ZZ"),
        ("payment_areas.csv", 2, "effective_from", "soon"),
        ("payment_areas.csv", 2, "source", "NOWHERE"),
        ("einvoice_standards.csv", 2, "confidence", ""),
        ("einvoice_standards.csv", 7, "satisfied_by", "FAX"),
        ("einvoice_standards.csv", 7, "identifier", "faxNumber"),
        ("peppol_schemes.csv", 2, "scheme", "2"),
        ("peppol_schemes.csv", 2, "pattern", "([0-9]{9}"),
        ("peppol_schemes.csv", 2, "stdnum_module", "fr.nothing"),
        ("peppol_schemes.csv", 2, "stdnum_module", "fr.siren;fr.siret;fr.tva"),
        ("peppol_schemes.csv", 2, "example", "784301773"),
        ("peppol_schemes.csv", 5, "effective_to", "soon"),
        ("peppol_schemes.csv", 2, "registrable", "maybe"),
        ("sources.tsv", 2, "citation", ""),
        ("tax_numbers.csv", 2, "country", "XI"),
        ("tax_numbers.csv", 2, "schemes", "TIN"),
        ("tax_numbers.csv", 2, "schemes", "VAT|"),
        ("tax_numbers.csv", 2, "schemes", ""),
        ("tax_numbers.csv", 2, "prefix", "at"),
        ("tax_numbers.csv", 2, "form", r"U(\d{8}"),
        ("tax_numbers.csv", 2, "check_digits", "at.nothing"),
        ("tax_numbers.csv", 2, "valid_sample", ""),
        ("tax_numbers.csv", 2, "confidence", "high"),
        ("tax_numbers.csv", 2, "sources", "NOWHERE"),
    ],
)
def test_a_broken_cell_is_refused_with_its_file_row_and_column(
    edited: Edit, file: str, row: int, column: str, value: str
) -> None:
    with pytest.raises(BrokenData) as refusal:
        load(edited(file, row, column, value))
    broken = refusal.value
    assert (broken.file, broken.row) == (file, row)
    assert column in broken.column
    assert str(broken).startswith(f"{file}, row {row}, column ")


def test_a_source_that_somebody_cites_cannot_be_taken_out(copy: Path) -> None:
    kept = [row for row in rows_of(copy / "sources.tsv") if row[0] != "ECONNECT"]
    write(copy / "sources.tsv", kept)
    with pytest.raises(BrokenData, match=r"column source: 'ECONNECT' is unknown"):
        load(copy)


@pytest.mark.parametrize("file", [path.name for path in sorted(DATA.iterdir())])
def test_a_file_with_other_columns_or_ragged_rows_is_refused(copy: Path, file: str) -> None:
    rows = rows_of(copy / file)
    write(copy / file, [rows[0][:-1], *(row[:-1] for row in rows[1:])])
    with pytest.raises(BrokenData, match=rf"^{file}, row 1, column {rows[0][-1]}"):
        load(copy)
    write(copy / file, [rows[0], rows[1], [*rows[2], "more"]])
    with pytest.raises(BrokenData, match=rf"^{file}, row 3, "):
        load(copy)
    write(copy / file, [rows[0], rows[1], rows[1]])
    with pytest.raises(BrokenData, match="is in the file already"):
        load(copy)


def test_a_later_row_of_a_country_takes_over_on_its_day(copy: Path) -> None:
    rows = rows_of(copy / "jurisdictions.csv")
    header = rows[0]
    later = next(list(row) for row in rows if row[0] == "GB")
    later[header.index("effective_from")] = "2027-04-01"
    later[header.index("max_net_kind")] = "HARD"
    write(copy / "jurisdictions.csv", [*rows, later])
    files = load(copy)
    before, after = files.jurisdiction("GB", date(2027, 3, 31)), files.jurisdiction("GB", date(2027, 4, 1))
    assert before
    assert after
    assert (before.term_cap, after.term_cap) == (TermCap.DEROGABLE, TermCap.HARD)
    assert files.jurisdiction("XX", date(2027, 4, 1)) is None


def test_a_country_whose_first_row_starts_later_has_none_before(edited: Edit) -> None:
    files = load(edited("jurisdictions.csv", 2, "effective_from", "2027-01-01"))
    assert files.jurisdiction("AT", date(2026, 12, 31)) is None
    assert files.jurisdiction("AT", date(2027, 1, 1))


def test_the_pure_modules_take_nothing_from_django_but_translations() -> None:
    home = Path(next(iter(billing.__path__)))
    taken = set()
    pure = (path for room in ("compliance", "payment_profile", "terms") for path in home.glob(f"{room}/**/*.py"))
    # the terms themselves have choices for columns
    for path in (path for path in pure if path.name != "payment_terms.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("django"):
                taken |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                taken |= {alias.name for alias in node.names if alias.name.startswith("django")}
    assert taken == {"django.utils.translation.gettext"}
