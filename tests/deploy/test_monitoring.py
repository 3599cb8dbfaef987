"""deploy/: the dashboard, the compose file and the unit fit to what the server offers."""

import configparser
import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from server.cli.configuration import FOREIGN
from server.cli.flags import GROUPS
from tests.deploy.dockerfile import ROOT
from tests.server.http_client import complete, get

DEPLOY = ROOT / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/llama-slots.json").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def series(server: str) -> set[tuple[str, str]]:
    """Names of series, each with the names of its labels, with one more for the name alone."""
    complete(server)
    get(f"{server}/nothing")
    families = text_string_to_metric_families(get(f"{server}/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, label) for sample in samples for label in (*sample.labels, "")}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_series_of_the_dashboard_exists_with_its_labels(expression: str, series: set[tuple[str, str]]) -> None:
    names = re.findall(r"\b(?:llama_slots|process)_\w+", expression)
    assert names
    for name in names:
        assert (name, "") in series
        for label in re.findall(r"by \((\w+)\)", expression):
            assert (name, label) in series


def test_the_dashboard_imports() -> None:
    assert DASHBOARD["uid"] == "llama-slots"
    assert DASHBOARD["schemaVersion"] >= 36
    assert "id" not in DASHBOARD  # which an import would take for that of another one
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "model"}
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(set(places)) == len(places)
    assert all(target["datasource"]["uid"] == "${datasource}" for p in DASHBOARD["panels"] for target in p["targets"])


def test_the_compose_file_sets_variables_that_the_server_reads() -> None:
    known = {flag.variable for group in GROUPS for flag in group.flags} | {flag.variable for flag in FOREIGN}
    service = COMPOSE["services"]["llama-slots"]
    assert service["environment"].keys() <= known
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_every_file_that_the_compose_file_mounts_exists() -> None:
    mounts = [mount.split(":")[0] for service in COMPOSE["services"].values() for mount in service["volumes"]]
    assert all((DEPLOY / mount).exists() for mount in mounts if mount.startswith("."))
    assert {mount for mount in mounts if not mount.startswith(".")} == COMPOSE["volumes"].keys()


def test_prometheus_scrapes_the_server_and_grafana_asks_prometheus() -> None:
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["llama-slots:8080"]
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert sources[0]["url"] == "http://prometheus:9090"
    providers = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/llama-slots.yaml").read_text())["providers"]
    assert any(
        mount.split(":")[1] == providers[0]["options"]["path"] for mount in COMPOSE["services"]["grafana"]["volumes"]
    )


def test_the_unit_is_notified_and_watched() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "llama-slots.service")
    assert unit["Service"]["Type"] == "notify"
    assert int(unit["Service"]["WatchdogSec"]) >= 10
    assert "llama-slots --host" in unit["Service"]["ExecStart"]
