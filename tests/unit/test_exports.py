"""Reports in published forms: each as its publisher wants it, and all of one total."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import Parse  # type: ignore[import-untyped]  # its types are a package more
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.test_receipt import record

from tidewatt.domain.estimate import Tier
from tidewatt.domain.lifecycle import State
from tidewatt.errors import UsageError
from tidewatt.report import document
from tidewatt.report.contents import Receipt
from tidewatt.report.exports import annex_xi, boamps, focus, mlflow, model_card, otel, prometheus, sci
from tidewatt.report.receipt import build

JOULES = 33.0
KWH = JOULES / 3.6e6
LABELS = (("team", 'vi"sion'), ("cost_centre", "42"))
RENDER: dict[str, Callable[[Receipt], str]] = {
    "sci": sci.render,
    "model-card": model_card.render,
    "focus": focus.render,
    "boamps": boamps.render,
    "annex-xi": annex_xi.render,
    "prometheus": prometheus.render,
    "otel": otel.render,
    "mlflow": lambda given: repr(mlflow.figures(given)),
}


def receipt() -> Receipt:
    given = record()
    function = replace(given.job.function, labels=LABELS)
    return build(
        replace(given, job=replace(given.job, submission=replace(given.job.submission, function=function)))
    )


def grams() -> float:
    operational = receipt().impacts.operational
    assert operational is not None
    return operational.amount.value


def test_eight_forms_and_the_receipt_itself_tell_one_total() -> None:
    given = receipt()
    own = json.loads(document.render(given))
    score = json.loads(sci.render(given))
    (row,) = csv.DictReader(io.StringIO(focus.render(given)))
    samples = [
        s for family in text_string_to_metric_families(prometheus.render(given)) for s in family.samples
    ]
    request = Parse(otel.render(given), ExportMetricsServiceRequest())
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    logged = mlflow.figures(given).metrics
    joules = {
        "receipt": own["energy_uj"] / 1e6,
        "sci": score["E_kwh"] / 1.5 * 3.6e6,
        "focus": float(row["x_EnergyJ"]),
        "focus, priced": float(row["PricingQuantity"]) * 3.6e6,
        "boamps": json.loads(boamps.render(given))["measures"][0]["powerConsumption"] * 3.6e6,
        "annex xi": json.loads(annex_xi.render(given))["e_energy_consumption"]["kwh"] * 3.6e6,
        "prometheus": sum(s.value for s in samples if s.name == "tidewatt_job_energy_joules"),
        "otel": sum(point.as_double for point in metric.sum.data_points),
        "mlflow": logged["tidewatt/energy_j"],
        "mlflow, by phase": sum(v for k, v in logged.items() if k.startswith("tidewatt/energy_by_phase_j/")),
    }
    assert joules == pytest.approx(dict.fromkeys(joules, JOULES), rel=1e-6)
    carbon = {
        "receipt": own["operational_gco2e"]["value"],
        "sci": score["E_kwh"] * score["I_gco2e_per_kwh"],
        "model card": yaml.safe_load(model_card.render(given))["co2_eq_emissions"]["emissions"],
        "focus": float(row["x_OperationalGCO2e"]),
        "prometheus": next(s.value for s in samples if s.name == "tidewatt_job_operational_grams"),
        "mlflow": logged["tidewatt/operational_gco2e"],
    }
    assert carbon == pytest.approx(dict.fromkeys(carbon, grams()), rel=1e-6)
    assert float(row["BilledCost"]) == pytest.approx(own["cost_usd"]["value"])


def test_the_score_is_what_the_standard_says() -> None:
    score = json.loads(sci.render(receipt()))
    assert score["R"] == {"unit": "optimizer step", "count": 300}
    by_formula = (score["E_kwh"] * score["I_gco2e_per_kwh"] + score["M_gco2e"]) / 300
    assert score["sci_gco2e_per_R"] == pytest.approx(by_formula)


def test_the_model_card_has_the_keys_of_the_hub() -> None:
    card = yaml.safe_load(model_card.render(receipt()))["co2_eq_emissions"]
    assert set(card) == {
        "emissions",
        "source",
        "training_type",
        "geographical_location",
        "hardware_used",
    }
    assert card["geographical_location"] == "DE"


def test_a_focus_row_has_every_mandatory_column_and_its_own_begin_with_x() -> None:
    (row,) = csv.DictReader(io.StringIO(focus.render(receipt())))
    never_empty = [
        "BilledCost",
        "BillingAccountId",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ContractedCost",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
        "ProviderName",
        "PublisherName",
        "ServiceCategory",
        "ServiceName",
    ]
    assert all(row[column] for column in never_empty)
    assert {
        "BillingAccountName",
        "ChargeClass",
        "ChargeDescription",
        "PricingQuantity",
        "PricingUnit",
    } <= set(row)
    assert row["ChargeCategory"] == "Usage"
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
        "2022-06-01T00:00:00Z",
        "2022-07-01T00:00:00Z",
    )
    assert (row["BillingAccountId"], row["SubAccountId"]) == ("42", 'vi"sion')
    assert json.loads(row["Tags"]) == dict(LABELS)


def test_a_job_that_ended_in_december_is_billed_until_january() -> None:
    given = receipt()
    late = replace(given, identity=replace(given.identity, ended_at=1_672_444_800.0))
    (row,) = csv.DictReader(io.StringIO(focus.render(late)))
    assert row["BillingPeriodEnd"] == "2023-01-01T00:00:00Z"


def test_a_boamps_report_has_what_its_schema_requires() -> None:
    report: Any = json.loads(boamps.render(receipt()))
    assert {"reportDatetime"} <= set(report["header"])
    assert report["header"]["reportDatetime"] == "2022-06-01 17:00:00"
    assert report["header"]["publisher"]["confidentialityLevel"] in {
        "public",
        "internal",
        "confidential",
        "secret",
    }
    assert {"taskStage", "taskFamily", "algorithms", "dataset"} <= set(report["task"])
    assert all({"dataUsage", "dataType"} <= set(each) for each in report["task"]["dataset"])
    assert all({"measurementMethod", "powerConsumption"} <= set(each) for each in report["measures"])
    assert report["infrastructure"]["infraType"] in {"publicCloud", "privateCloud", "onPremise", "other"}
    assert all(isinstance(each["nbComponent"], int) for each in report["infrastructure"]["components"])
    assert "country" in report["environment"]
    assert report["quality"] in {"high", "medium", "low"}


def test_annex_xi_tells_known_from_estimated() -> None:
    counted = json.loads(annex_xi.render(receipt()))["e_energy_consumption"]
    modelled = replace(receipt(), energy=replace(receipt().energy, tier=Tier.MODEL))
    assert counted["basis"] == "known"
    assert json.loads(annex_xi.render(modelled))["e_energy_consumption"]["basis"] == "estimated"
    assert counted["kwh"] == pytest.approx(KWH)
    assert counted["low_kwh"] <= counted["kwh"] <= counted["high_kwh"]


def test_labels_reach_prometheus_and_opentelemetry_whatever_is_in_them() -> None:
    family = next(iter(text_string_to_metric_families(prometheus.render(receipt()))))
    assert family.samples[0].labels["label_team"] == 'vi"sion'
    request = Parse(otel.render(receipt()), ExportMetricsServiceRequest())
    attributes = {a.key: a.value.string_value for a in request.resource_metrics[0].resource.attributes}
    assert attributes["tidewatt.label.team"] == 'vi"sion'
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.unit, metric.sum.is_monotonic) == ("hw.energy", "J", True)


def test_a_run_of_mlflow_is_given_what_is_known_in_names_that_it_takes() -> None:
    given = receipt()
    found = mlflow.figures(given)
    assert found.tags["tidewatt.job"] == given.identity.job_id
    assert found.tags["tidewatt.label.team"] == 'vi"sion'
    assert found.params["function"] == given.identity.function
    assert found.status == "FINISHED"
    odd = replace(given.identity, arguments={"lr η": "x" * 10_000}, state=State.RUNNING)
    unpriced = replace(given.impacts, operational=None)
    other = mlflow.figures(replace(given, identity=odd, impacts=unpriced))
    assert len(other.params["argument.lr _"]) == 5_000
    assert other.status == ""
    assert not any("operational" in name for name in other.metrics)
    assert other.metrics["tidewatt/embodied_gco2e/low"] <= other.metrics["tidewatt/embodied_gco2e"]


@pytest.mark.parametrize("form", RENDER)
def test_what_is_not_known_is_refused_and_never_0(form: str) -> None:
    given = receipt()
    unknown = replace(
        given,
        energy=replace(given.energy, metered=False),
        impacts=replace(given.impacts, operational=None, cost=None, embodied=None, water=None),
    )
    with pytest.raises(UsageError, match="not known") as raised:
        RENDER[form](unknown)
    assert "must not say 0" in str(raised.value)
