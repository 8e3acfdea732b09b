"""The files of deploy/ stay true: commands and variables exist, units parse, and images are plain names."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from milo.settings.environment import all_variables, read_environment

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
# those of the platform, which are no settings of Milo
OTHERS = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONHASHSEED"}


def texts() -> Iterator[tuple[str, str]]:
    """Yield each text of deploy/, and the guide to it."""
    for path in [*sorted(DEPLOY.rglob("*")), ROOT / "docs/deploying.md"]:
        if path.is_file():
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def settings() -> set[str]:
    names = set()
    for variable in all_variables():
        names |= {variable.name, f"{variable.name}_FILE"} if variable.secret else {variable.name}
    return names


def directives(unit: Path) -> list[tuple[str, str]]:
    """Return the directives of a unit in order. Raises ValueError for a line that is none."""
    pairs = []
    for line in unit.read_text().splitlines():
        if line and line[0] not in "#[":
            key, value = line.split("=", 1)
            pairs.append((key, value))
    return pairs


def test_every_variable_that_is_named_is_a_setting() -> None:
    named = {
        (source, name)
        for source, text in texts()
        for name in re.findall(r"\b(?:MILO_[A-Z_]+[A-Z]|DATABASE_URL(?:_FILE)?|CELERY_BROKER_URL(?:_FILE)?)\b", text)
    }
    assert len(named) > 10
    assert [(source, name) for source, name in sorted(named) if name not in settings()] == []


def test_every_command_of_manage_py_exists() -> None:
    named = {(source, name) for source, text in texts() for name in re.findall(r"manage\.py ([a-z_]+)", text)}
    assert "serve" in {name for _source, name in named}
    assert [(source, name) for source, name in sorted(named) if name not in get_commands()] == []


def test_every_file_of_deploy_that_is_named_exists() -> None:
    named = {(source, name) for source, text in texts() for name in re.findall(r"(?<![\w./-])deploy/[\w./@-]*\w", text)}
    assert [(source, name) for source, name in sorted(named) if not (ROOT / name).exists()] == []


def test_no_file_names_a_registry() -> None:
    registries = r"docker\.io|ghcr\.io|quay\.io|gcr\.io|registry[\w.-]*\.\w+/|mcr\.microsoft|public\.ecr"
    assert [source for source, text in texts() if re.search(registries, text)] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_without_privileges_and_with_secrets_from_files(unit: Path) -> None:
    pairs = directives(unit)
    only = dict(pairs)
    assert shlex.split(only["ExecStart"])[0] == "/opt/milo/.venv/bin/python"
    assert only["User"] == "milo"
    assert (only["NoNewPrivileges"], only["CapabilityBoundingSet"], only["ProtectSystem"]) == ("yes", "", "strict")
    given = [value.split("=", 1) for key, value in pairs if key == "Environment"]
    secret = {variable.name for variable in all_variables() if variable.secret}
    assert not secret & {name for name, _value in given}
    assert {name for name, _value in given} <= settings() | OTHERS
    credentials = {value.split(":")[0] for key, value in pairs if key == "LoadCredential"}
    assert {value.removeprefix("%d/") for name, value in given if name.endswith("_FILE")} == credentials


def test_the_units_are_web_worker_and_beat() -> None:
    assert [unit.name for unit in UNITS] == ["milo-beat.service", "milo-web.service", "milo-worker@.service"]


def compose() -> dict[str, Any]:
    file: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    return file


def test_compose_names_only_what_it_defines() -> None:
    file = compose()
    for name, service in file["services"].items():
        assert set(service.get("secrets", [])) <= set(file["secrets"]), name
        assert set(service.get("depends_on", {})) <= set(file["services"]), name
        assert set(service["networks"]) <= set(file["networks"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in file["volumes"] or (DEPLOY / "compose" / source).is_file(), name


def test_compose_runs_milo_without_privileges_and_publishes_ports_on_this_machine_only() -> None:
    services = compose()["services"]
    ours = [services[name] for name in ("migrate", "web", "worker", "beat")]
    assert all((each["read_only"], each["cap_drop"]) == (True, ["ALL"]) for each in ours)
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_passwords_of_compose_reach_the_addresses(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_text((DEPLOY / "compose" / "make-secrets.sh").read_text())
    subprocess.run(["sh", script], check=True)
    made = {path.name: path.read_text().strip() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(compose()["secrets"])
    assert made["database-url"] == f"postgresql://milo:{made['application-password']}@postgresql/milo"
    again = subprocess.run(["sh", script], check=False, capture_output=True)
    assert again.returncode != 0
    assert made == {path.name: path.read_text().strip() for path in (tmp_path / "secrets").iterdir()}


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_in_particular() -> None:
    build, last = (DEPLOY / "Containerfile").read_text().split("\nFROM python:3.11-slim\n")
    assert "--require-hashes" in build
    assert "--only-binary :all:" in build
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "apt-get" not in build + last
    copied = {path for line in re.findall(r"^COPY (?!--from)(\S+)", build, re.MULTILINE) for path in [line]}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= let_in
    assert all((ROOT / path).exists() for path in let_in)


def manifests() -> list[dict[str, Any]]:
    paths = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [
        each for path in paths for each in yaml.safe_load_all(path.read_text()) if path.name != "kustomization.yaml"
    ]


def pods() -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"]: each["spec"]["template"] for each in manifests() if "template" in each.get("spec", {})
    }


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def test_kubernetes_applies_every_manifest_but_the_job() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert set(kustomization["resources"]) == files - {"kustomization.yaml", "migrate.yaml"}


def test_pods_meet_the_restricted_standard() -> None:
    assert set(pods()) == {"milo-web", "milo-worker", "milo-beat", "milo-migrate"}
    for name, pod in pods().items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert {next(iter(set(volume) - {"name"})) for volume in pod["spec"]["volumes"]} <= {
            "secret",
            "emptyDir",
            "persistentVolumeClaim",
        }, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (name, container["name"])


def test_pods_mount_what_they_define_and_selectors_find_them() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    for name, pod in pods().items():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name
    for each in manifests():
        if each["kind"] in ("Deployment", "PodDisruptionBudget"):
            selector = each["spec"]["selector"]["matchLabels"]
            assert selector.items() <= labels[each["metadata"]["name"]].items(), each["metadata"]["name"]
    service = next(each for each in manifests() if each["kind"] == "Service")
    assert service["spec"]["selector"].items() <= labels["milo-web"].items()


def test_only_workers_have_the_key_of_the_ledger_and_only_the_job_is_the_owner() -> None:
    holders: dict[str, set[str]] = {}
    for name, pod in pods().items():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                holders.setdefault(volume["secret"]["secretName"], set()).add(name)
    assert holders["milo-ledger"] == {"milo-worker"}
    assert holders["milo-owner"] == {"milo-migrate"}


def test_the_web_has_probes_and_time_to_stop() -> None:
    pod = pods()["milo-web"]["spec"]
    (web,) = pod["containers"]
    assert web["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert pod["terminationGracePeriodSeconds"] > read_environment({}).server.stop_seconds


def environments() -> dict[str, dict[str, str]]:
    lines = (DEPLOY / "systemd" / "milo.env.example").read_text().splitlines()
    settings = next(each for each in manifests() if each["kind"] == "ConfigMap")
    return {
        "systemd": dict(line.split("=", 1) for line in lines if not line.startswith("#")),
        "compose": compose()["x-milo"]["environment"],
        "kubernetes": settings["data"],
    }


@pytest.mark.parametrize("platform", ["systemd", "compose", "kubernetes"])
def test_the_values_of_an_example_are_accepted(platform: str) -> None:
    values = environments()[platform]
    assert "MILO_ALLOWED_HOSTS" in values
    read_environment({name: value for name, value in values.items() if not name.endswith("_FILE")})
