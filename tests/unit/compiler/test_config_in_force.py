"""Which settings count while a ConfigMap says what cannot be used, and which writes are refused."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.compiler.config import Config
from rouse.compiler.config.in_force import InForce, judge
from rouse.errors import ConfigError

OWN = "rouse-config"
KSERVE = "inferenceservice-config"


def said(**data: Any) -> dict[str, Any]:
    return {"data": data}


def taken(own: dict[str, Any] | None, kserve: dict[str, Any] | None = None) -> InForce:
    """The settings of a process that has just started."""
    it = InForce()
    it.take(own, kserve)
    return it


def test_good_settings_count_as_they_are_written() -> None:
    kserve = said(ingress='{"ingressDomain": "k.example", "urlScheme": "https"}')
    it = taken(said(domain="r.example"), kserve)
    assert (it.config.domain, it.config.url_scheme, it.problem) == ("r.example", "https", "")
    assert taken(None).config == Config()


def test_the_last_good_content_counts_as_a_whole() -> None:
    it = taken(said(domain="a.example"))
    it.take(said(domain="b.example", ingressDomain="x"), None)
    assert it.config.domain == "a.example"
    assert it.problem.startswith("ConfigMap rouse-config: ingressDomain: unknown key")
    assert it.problem.endswith("(its last good content counts)")
    it.take(said(domain="b.example"), None)
    assert (it.config.domain, it.problem) == ("b.example", "")


def test_each_config_map_keeps_its_own_last_good_content() -> None:
    it = taken(said(domain="a.example"), said(deploy='{"defaultDeploymentMode": "Standard"}'))
    it.take(said(domain="b.example"), said(deploy="{"))
    assert (it.config.domain, it.config.default_deployment_mode) == ("b.example", "Standard")
    assert "inferenceservice-config: deploy: is not valid" in it.problem


def test_what_was_taken_away_is_no_good_content() -> None:
    it = taken(said(domain="a.example"))
    it.take(None, None)
    it.take(said(domian="b.example", urlScheme="https"), None)
    assert it.config.url_scheme == "https"
    assert it._own.lost == {"domain"}


@pytest.mark.parametrize(
    "slip",
    [
        {"ingressDomain": "x"},
        {"ingress.domain": "x"},
        {"a-b": "x"},
        {"batcherMaxBatchSize": "many"},
        {"nodePools": "{a: ["},
        {"httpsRedirect": "true"},
        {"auth": "{default: jwt}"},
        {"defaultGpuPool": "absent"},
        {"domain": 1},
    ],
)
def test_a_slip_costs_its_own_key_only(slip: dict[str, Any]) -> None:
    config = taken(said(storageInitializer="{image: mine}", pathTemplate="/x", **slip)).config
    assert config.storage_initializer.image == "mine"
    assert config.path_template == "/x"
    assert config.agent == Config().agent


@pytest.mark.parametrize(
    "slip",
    [
        {"storageInitializer": "{imge: mine}"},
        {"storageInitializer": "{"},
        {"storageInitialiser": "{image: mine}"},
        {"storageinitializer": "{image: mine}"},
    ],
)
def test_a_setting_that_is_not_known_is_never_guessed(slip: dict[str, Any]) -> None:
    config = taken(said(domain="a.example", **slip)).config
    assert config.domain == "a.example"
    with pytest.raises(ConfigError, match="setting storageInitializer is not known: ConfigMap"):
        _ = config.storage_initializer


def test_a_slip_beside_the_key_itself_loses_nothing() -> None:
    it = taken(said(domain="a.example", domian="b.example"))
    assert it.config.domain == "a.example"


def test_a_setting_that_needs_a_lost_one_goes_with_it() -> None:
    config = taken(said(tlsSecret=1, httpsRedirect="true", domain="a.example")).config
    assert config.domain == "a.example"
    for name in ("tls_secret", "https_redirect", "outside_gateways"):
        with pytest.raises(ConfigError, match="is not known"):
            getattr(config, name)


def test_a_section_of_kserve_goes_as_a_whole() -> None:
    kserve = said(
        batcher='{"maxBatchSize": "many"}',
        ingress='{"ingressDomain": "k.example"}',
        deploy='{"defaultDeploymentMode": "RawDeployment"}',
    )
    it = taken(said(urlScheme="https"), kserve)
    assert (it.config.domain, it.config.default_deployment_mode) == ("k.example", "Standard")
    assert it.config.url_scheme == "https"
    with pytest.raises(ConfigError, match="setting batcherMaxLatencyMs is not known"):
        _ = it.config.batcher_max_latency_ms


@pytest.mark.parametrize(
    ("name", "bad", "finding"),
    [
        (OWN, said(ingressDomain="x"), "ingressDomain"),
        (OWN, said(agent="{imge: x}"), "agent.imge"),
        (OWN, said(httpsRedirect="true"), "httpsRedirect"),
        (KSERVE, said(ingress="{"), "ingress"),
        (KSERVE, said(batcher='{"maxBatchSize": "x"}'), "batcherMaxBatchSize"),
    ],
)
def test_a_write_is_refused_with_the_readers_words(
    name: str, bad: dict[str, Any], finding: str
) -> None:
    judged = judge(name, bad)
    assert [each.path for each in judged.findings] == [finding]
    with pytest.raises(ConfigError) as caught:
        Config.from_config_map(bad) if name == OWN else Config.from_kserve(bad["data"])
    assert judged.refusal == str(caught.value)
    # A metadata-only change of what is bad already is nobody's new mistake.
    assert judge(name, bad, bad).warning == judged.refusal


def test_good_writes_and_other_config_maps_pass() -> None:
    assert judge(OWN, said(domain="a.example")) == judge(KSERVE, said()) == judge("x", said(b="{"))
    assert judge(OWN, {}).refusal == judge(OWN, {"data": ["x"]}).refusal == ""


def test_one_mistake_can_be_repaired_at_a_time() -> None:
    both, one = said(domian="x", urlScheme="ftp"), said(domian="x", urlScheme="https")
    judged = judge(OWN, one, both)
    assert (judged.refusal, judged.findings) == ("", ())
    assert "domian: unknown key" in judged.warning
    worse = judge(OWN, said(domian="x", urlScheme="gopher"), one)
    assert [each.path for each in worse.findings] == ["urlScheme"]
    assert "domian" not in worse.refusal.partition("known:")[0]


def test_mistakes_of_kserve_do_not_stop_rouse_config() -> None:
    assert judge(OWN, said(domain="a.example"), kserve=said(ingress="{")).refusal == ""
