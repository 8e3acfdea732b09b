"""Units of usage are codes of UCUM, by its own table; whoever writes another is told what to write."""

from typing import Any
from xml.etree import ElementTree

import pytest

from billing.models import UsageEvent, UsageMeter
from billing.services.usage.intake import report
from billing.usage.units import ESSENCE
from tests.support.usage import REPORTER, an_event, reasons, taken

pytestmark = pytest.mark.django_db
# codes of UCUM that are never meant as UCUM means them, and are refused
BELS_AND_BARNS = {"B", "b", "Gb"}


def of_units(project: Any, *units: str) -> list[dict[str, Any]]:
    return [an_event(project, data={"meter": f"meter-{number}", "unit": unit}) for number, unit in enumerate(units)]


def test_every_unit_of_the_table_of_ucum_is_taken(project: Any) -> None:
    table = ElementTree.parse(ESSENCE).getroot()
    units = {entry.attrib["Code"] for entry in table if entry.tag.endswith("unit")} - BELS_AND_BARNS
    assert (table.get("version"), len(units)) == ("2.2", 309)
    taken(*of_units(project, *sorted(units)))
    assert set(UsageMeter.objects.values_list("unit", flat=True)) == units


def test_prefixes_powers_products_and_annotations_are_taken(project: Any) -> None:
    taken(
        *of_units(
            project,
            *("GBy", "kBy", "TiBy", "Gbit", "ms", "us", "kW.h", "dB", "m3/s", "s-1", "10*6", "10*6.{token}", "1", "/s"),
            *(
                "GiBy.h",
                "GBy.mo",
                "{request}",
                "{request}/s",
                "{vCPU}.h",
                "By{sent}",
                "(GBy.h)/mo",
                "100.{call}",
                "B[W]",
            ),
        )
    )


INSTEAD = {
    "GB": "GBy", "kB": "kBy", "KB": "kBy", "GiB": "GiBy", "B": "By", "bytes": "By", "Gb": "Gbit", "bits": "bit",
    "hours": "h", "hour": "h", "hr": "h", "seconds": "s", "sec": "s", "minutes": "min", "days": "d", "months": "mo",
    "requests": "{request}", "queries": "{query}", "class": "{class}", "vCPU": "{vCPU}", "foo": "{foo}",
    "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "KWh": "kW.h", "kwh": "kW.h", "mAh": "mA.h", "kVAh": "kV.A.h",
    "GBh": "GBy.h", "GiBh": "GiBy.h", "vCPU-hours": "{vCPU}.h", "vCPUh": "{vCPU}.h", "kilowatt-hours": "kW.h",
    "kWh/month": "kW.h/mo", "KWH": "kW.h", "MWH": "MW.h", "kWhr": "kW.h", "Hours": "h", "MINUTES": "min",
    "octets": "By", "pcs": "{piece}", "sms": "{sms}", "ZB": "ZBy",
    "MBps": "MBy/s", "Gbps": "Gbit/s", "bps": "bit/s", "Bps": "By/s", "MiBps": "MiBy/s", "rps": "{request}/s",
    "gigabytes": "GBy", "mebibytes": "MiBy", "milliseconds": "ms", "GB per month": "GBy/mo",
    "kW*h": "kW.h", "kW\u00b7h": "kW.h",
    "dash": "{dash}", "maps": "{map}", "batch": "{batch}",
    "GB.h": "GBy.h", "GB-hours": "GBy.h", "GB h": "GBy.h", "requests/second": "{request}/s", "GB/month": "GBy/mo",
}  # fmt: skip
NONE = ("GB+h", "MB(x", "xy", "%%", "(", "{a", "[nothing]", "PiB", "h/", "./h", "µs", "{é}", "s" * 61)


def test_what_ucum_calls_otherwise_is_refused_with_what_to_write(project: Any) -> None:
    receipt = report(of_units(project, *INSTEAD), actor=REPORTER)
    assert (receipt.accepted, UsageEvent.objects.count(), UsageMeter.objects.count()) == (0, 0, 0)
    told = [rejection.cause.message for rejection in receipt.rejections]
    assert told == [f"{unit} is not what UCUM calls it: write {meant}" for unit, meant in INSTEAD.items()]
    # and so it is
    taken(*of_units(project, *INSTEAD.values()))


def test_what_is_no_unit_and_means_none_is_refused(project: Any) -> None:
    receipt = report(of_units(project, *NONE), actor=REPORTER)
    assert reasons(receipt) == dict.fromkeys(range(len(NONE)), ("data.unit", "FieldValueInvalid"))
    told = [rejection.cause.message for rejection in receipt.rejections]
    assert told == [f"{unit[:60]} is no unit of UCUM, such as By, h or {{request}}" for unit in NONE]
    assert (UsageEvent.objects.count(), UsageMeter.objects.count()) == (0, 0)


def test_a_unit_that_was_stored_before_the_table_was_looked_at_stays(project: Any) -> None:
    taken(*of_units(project, "GBy"))
    kept = UsageMeter.objects.create(service="compute", name="before", unit="GB")
    receipt = report([an_event(project, data={"meter": "before", "unit": "GBy"})], actor=REPORTER)
    assert reasons(receipt) == {0: ("data.unit", "FieldValueInvalid")}
    kept.refresh_from_db()
    assert kept.unit == "GB"
