"""Which images a pool gets: those in use, recent and next, by what they save, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.coldstart.residency import Demand
from rouse.compiler.config import Config
from rouse.controllers.prepull.choice import choose
from rouse.controllers.prepull.used import Use, server_image, uses_of
from rouse.errors import ConfigError
from rouse.kube.objects import Object

RARE, OFTEN = Demand(1 / 24), Demand(10.0)
POOLS = """
a100: {nodeSelector: {gpu: a100}, resources: [nvidia.com/gpu]}
cpu: {nodeSelector: {pool: cpu}}
"""


def configured(settings: str = "{enabled: true}", **more: str) -> Config:
    return Config.from_config_map({"data": {"prePull": settings, "nodePools": POOLS, **more}})


def revision(name: str, image: str, made: str, **more: Any) -> Object:
    spec = {"containers": [{"name": "server", "image": image, **more.pop("container", {})}]}
    metadata = {"name": name, "creationTimestamp": made, **more.pop("metadata", {})}
    return {"metadata": metadata, "spec": {**spec, **more.pop("spec", {})}, **more}


ACTIVE = {"labels": {"serving.knative.dev/routingState": "active"}}


def test_what_serves_what_comes_and_a_little_of_what_was() -> None:
    revisions = [
        revision("a-1", "repo/one", "2026-01-01T00:00:00Z"),
        revision("a-2", "repo/two", "2026-01-02T00:00:00Z"),
        revision("a-3", "repo/three", "2026-01-03T00:00:00Z"),
        revision("a-4", "repo/four", "2026-01-04T00:00:00Z", metadata=ACTIVE),
        revision("a-5", "repo/five", "2026-01-05T00:00:00Z"),
    ]
    found = {use.image: use.weight for use in uses_of(OFTEN, revisions, (), configured())}
    assert found == {"repo/five": 1.0, "repo/four": 1.0, "repo/three": 0.1, "repo/two": 0.1}
    assert server_image(revisions) == "repo/five"
    assert server_image([]) == ""


def test_the_digest_that_pods_ask_for_counts_not_the_tag() -> None:
    digest = "repo/one@sha256:12"
    status = {"containerStatuses": [{"name": "server", "imageDigest": digest}]}
    given = [revision("a-1", "repo/one:v1", "2026-01-01T00:00:00Z", status=status)]
    assert [use.image for use in uses_of(OFTEN, given, (), configured())] == [digest]
    assert server_image(given) == digest


def test_pools_are_those_of_the_pods() -> None:
    gpu = {"container": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}
    named = {"metadata": {"annotations": {"rouse.dev/node-pool": "cpu"}}}
    made = "2026-01-01T00:00:00Z"
    config = configured(defaultGpuPool="a100")
    for more, pool in ((gpu, "a100"), (named, "cpu"), ({}, "")):
        (use,) = uses_of(OFTEN, [revision("a", "image", made, **more)], (), config)
        assert use.pool == pool


def test_what_the_pod_webhook_adds_and_mode_standard() -> None:
    source = "internal.serving.kserve.io/storage-initializer-sourceuri"
    fetched = {"metadata": {"annotations": {source: "s3://models/a"}}}
    spec = {"initContainers": [{"name": "first", "image": "first"}]}
    given = [revision("a", "image", "2026-01-01T00:00:00Z", spec=spec, **fetched)]
    config = configured()
    images = [use.image for use in uses_of(OFTEN, given, (), config)]
    assert images == ["first", "image", config.storage_initializer.image]
    template = {"spec": {"containers": [{"name": "c", "image": "deployed"}]}}
    (use,) = uses_of(OFTEN, (), [{"spec": {"template": template}}], config)
    assert use == Use("", "deployed", OFTEN)


def test_what_needs_a_secret_of_its_namespace_is_left_out() -> None:
    spec = {"imagePullSecrets": [{"name": "registry"}]}
    given = [revision("a", "image", "2026-01-01T00:00:00Z", spec=spec)]
    assert list(uses_of(OFTEN, given, (), configured())) == []


def test_the_most_saved_waiting_per_byte_comes_first_within_the_bounds() -> None:
    uses = [Use("", "rare", RARE), Use("", "often", OFTEN), Use("", "large", OFTEN)]
    sizes = {"rare": 10**9, "often": 10**9, "large": 10**11}
    assert choose(uses, sizes, {}, configured()) == {"": ["often", "rare"]}
    assert choose(uses, sizes, {}, configured("{maxImages: 1}")) == {"": ["often"]}
    assert choose(uses, sizes, {}, configured("{maxBytes: 1G}")) == {"": ["often"]}


def test_images_that_are_asked_for_come_before_others() -> None:
    config = configured("{images: [queue-proxy]}")
    sizes = {"often": 10**9, "queue-proxy": 10**7}
    assert choose([Use("", "often", OFTEN)], sizes, {}, config) == {"": ["queue-proxy", "often"]}
    assert choose([], sizes, {}, config) == {}


def test_a_change_of_demand_alone_changes_no_order() -> None:
    uses = [Use("", "a", RARE), Use("", "b", OFTEN)]
    assert choose(uses, {}, {"": ["a", "b"]}, configured()) == {"": ["a", "b"]}
    more = [*uses, Use("", "c", OFTEN)]
    assert choose(more, {}, {"": ["a", "b"]}, configured()) == {"": ["b", "c", "a"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{maxImages: 0}", "prePull.maxImages: must be 1 or more, not 0"),
        ("{maxBytes: many}", 'prePull.maxBytes: "many" is no size'),
        ("{maxBytes: 0}", 'prePull.maxBytes: "0" is no size'),
        ("{pods: 1}", "unknown key"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(settings)
