"""Where a model is -> what its pod has and what the pod webhook is told."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest

from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.types import ModelSpec
from rouse.compiler.config import Config, StorageInitializer
from rouse.compiler.errors import CompileError
from rouse.compiler.storage import (
    Entry,
    Facts,
    Location,
    Storage,
    access_of,
    attach,
    matching_container,
    storage_of,
)
from rouse.compiler.storage.entry import resolved

CONFIG = Config()
PREFIX = "internal.serving.kserve.io/"


def pod(*names: str) -> dict[str, Any]:
    return {"containers": [{"name": name, "image": "x"} for name in names or ("kserve-container",)]}


def stored(
    uri: str, *, own: bool = False, path: str = "/mnt/models", **more: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    more.setdefault("config", CONFIG)
    given = more.pop("pod", pod())
    storage = Storage((Location(uri, path),))
    return attach(given, "kserve-container", storage, own_predictor=own, **more)


def secret(data: dict[str, str], **annotations: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    marks = {f"serving.kserve.io/{key.replace('_', '-')}": v for key, v in annotations.items()}
    return {"metadata": {"annotations": marks}, "data": encoded}


def facts(data: dict[str, str], **annotations: str) -> Facts:
    account = {"metadata": {"name": "sa"}, "secrets": [{"name": "creds"}]}
    return Facts({"sa": account}, {"creds": secret(data, **annotations)})


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container.get("env", ())}


def key(name: str, secret_name: str = "creds") -> dict[str, Any]:
    return {"secretKeyRef": {"name": secret_name, "key": name}}


# -- what a component says


def component(**fields: Any) -> ComponentSpec:
    return ComponentSpec.model_validate(fields)


def model(**fields: Any) -> ModelSpec:
    return ModelSpec.model_validate({"modelFormat": {"name": "onnx"}, **fields})


def test_storage_uri_is_at_mnt_models() -> None:
    assert storage_of(model(storageUri="s3://b/m"), component()) == Storage(
        (Location("s3://b/m", "/mnt/models"),)
    )
    assert storage_of(model(), component()) is None
    assert storage_of(None, component()) is None


def test_several_locations_have_their_own_paths() -> None:
    given = component(
        storageUris=[{"uri": "hf://o/base"}, {"uri": "pvc://c/x", "mountPath": "/mnt/lora/"}]
    )
    assert storage_of(None, given) == Storage(
        (Location("hf://o/base", "/mnt/models"), Location("pvc://c/x", "/mnt/lora"))
    )


@pytest.mark.parametrize(
    ("parameters", "uri"),
    [
        ({}, "<scheme-placeholder>://iris"),
        ({"type": "s3"}, "<scheme-placeholder>://iris"),
        ({"type": "s3", "bucket": "b"}, "s3://b/iris"),
        ({"type": "hdfs"}, "hdfs://iris"),
    ],
)
def test_an_entry_leaves_open_what_only_the_secret_tells(
    parameters: dict[str, str], uri: str
) -> None:
    given = model(storage={"key": "mine", "path": "/iris", "parameters": parameters})
    found = storage_of(given, component())
    assert found == Storage((Location(uri),), Entry("mine", parameters))


def test_a_server_of_the_users_own_names_its_location_by_a_variable() -> None:
    env = [{"name": "STORAGE_URI", "value": "pvc://claim/iris"}]
    given = component(containers=[{"name": "kserve-container", "image": "x", "env": env}])
    storage = storage_of(None, given)
    assert storage == Storage((Location("pvc://claim/iris"),))
    mine = {"containers": [{"name": "kserve-container", "env": env}]}
    made, annotations = attach(
        mine, "kserve-container", storage, own_predictor=False, config=CONFIG
    )
    assert env_of(made["containers"][0]) == {"STORAGE_URI": "/mnt/models"}
    assert made["volumes"][0]["persistentVolumeClaim"]["claimName"] == "claim"
    assert annotations == {}


# -- mounted


def test_a_claim_is_mounted_read_only_in_every_container_that_needs_it() -> None:
    made, annotations = stored(
        "pvc://models/iris/v1", pod=pod("kserve-container", "transformer-container", "other")
    )
    mount = {
        "name": "kserve-pvc-source",
        "mountPath": "/mnt/models",
        "readOnly": True,
        "subPath": "iris/v1",
    }
    assert [c.get("volumeMounts") for c in made["containers"]] == [[mount], [mount], None]
    claim = {"claimName": "models", "readOnly": True}
    assert made["volumes"] == [{"name": "kserve-pvc-source", "persistentVolumeClaim": claim}]
    assert annotations == {}


@pytest.mark.parametrize(
    ("annotation", "default", "read_only"),
    [(None, True, True), (None, False, False), ("false", True, False), ("true", False, True)],
)
def test_read_only_is_said_by_the_annotation_then_by_the_config(
    annotation: str | None, default: bool, read_only: bool
) -> None:
    config = replace(CONFIG, storage_initializer=StorageInitializer(default_pvc_read_only=default))
    said = {} if annotation is None else {"storage.kserve.io/readonly": annotation}
    made, _ = stored("pvc://models", config=config, annotations=said)
    assert made["containers"][0]["volumeMounts"][0]["readOnly"] is read_only


def test_volumes_of_several_claims_are_told_apart_and_their_names_are_labels() -> None:
    long = "/mnt/" + "a" * 100
    storage = Storage(
        (Location("pvc://a"), Location("pvc://b", "/mnt/B_2"), Location("pvc://c", long))
    )
    made, _ = attach(pod(), "kserve-container", storage, own_predictor=False, config=CONFIG)
    names = [volume["name"] for volume in made["volumes"]]
    assert names[:2] == ["kserve-pvc-source", "kserve-pvc-source-mnt-b-2"]
    assert len(names[2]) <= 63


def test_images_are_volumes_where_they_are_allowed() -> None:
    allowed = replace(CONFIG, storage_initializer=StorageInitializer(enable_oci_volumes=True))
    for uri, config in (("oci://ghcr.io/a/b:v1", allowed), ("oci+native://ghcr.io/a/b:v1", CONFIG)):
        made, annotations = stored(uri, config=config)
        image = {"reference": "ghcr.io/a/b:v1"}
        assert made["volumes"] == [{"name": "rouse-model-image", "image": image}]
        assert annotations == {}
    with pytest.raises(CompileError, match=r"enableOciVolumes: true.*oci\+native://ghcr\.io/a/b"):
        stored("oci://ghcr.io/a/b:v1")


# -- fetched


def test_an_own_predictor_fetches_for_itself() -> None:
    made, annotations = stored("https://host/model.tar.gz", own=True, facts=Facts())
    assert env_of(made["containers"][0]) == {"STORAGE_URI": "https://host/model.tar.gz"}
    assert annotations == {}


def test_without_facts_the_webhook_brings_the_credentials() -> None:
    made, annotations = stored("s3://bucket/iris", own=True)
    assert env_of(made["containers"][0]) == {"STORAGE_URI": "s3://bucket/iris"}
    assert annotations == {"internal.rouse.dev/storage-credentials": "kserve-container"}
    assert stored("file:///models/iris", own=True)[1] == {}


def test_with_facts_the_credentials_are_there_and_what_the_user_gave_wins() -> None:
    given = pod() | {"serviceAccountName": "sa"}
    given["containers"][0]["env"] = [{"name": "AWS_ACCESS_KEY_ID", "value": "own"}]
    keys = facts({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush"})
    made, annotations = stored("s3://bucket/iris", own=True, pod=given, facts=keys)
    env = env_of(made["containers"][0])
    assert env["AWS_SECRET_ACCESS_KEY"] == key("AWS_SECRET_ACCESS_KEY")
    assert env["AWS_ACCESS_KEY_ID"] == "own"
    assert annotations == {}
    assert b"hush" not in orjson.dumps(made)


@pytest.mark.parametrize(
    ("uri", "own"), [("s3://b/m", False), ("oci+fetch://ghcr.io/a/b:v1", True)]
)
def test_for_others_the_webhook_is_told(uri: str, own: bool) -> None:
    made, annotations = stored(uri, own=own)
    assert made == pod()
    assert annotations == {f"{PREFIX}storage-initializer-sourceuri": uri}


def test_several_locations_are_brought_by_the_initializer() -> None:
    storage = Storage((Location("hf://o/base"), Location("s3://b/lora", "/mnt/lora")))
    _, annotations = attach(pod(), "kserve-container", storage, own_predictor=True, config=CONFIG)
    assert {name: orjson.loads(value) for name, value in annotations.items()} == {
        "internal.rouse.dev/storage-uris": [
            {"uri": "hf://o/base", "mountPath": "/mnt/models"},
            {"uri": "s3://b/lora", "mountPath": "/mnt/lora"},
        ]
    }


def test_an_entry_is_given_to_an_own_predictor_by_reference() -> None:
    storage = Storage((Location("<scheme-placeholder>://iris"),), Entry("mine", {"region": "x"}))
    made, annotations = attach(
        pod(), "kserve-container", storage, own_predictor=True, config=CONFIG
    )
    assert env_of(made["containers"][0]) == {
        "STORAGE_URI": "<scheme-placeholder>://iris",
        "STORAGE_CONFIG": key("mine", "storage-config"),
        "STORAGE_OVERRIDE_CONFIG": '{"region":"x"}',
    }
    assert annotations == {
        "internal.rouse.dev/storage-credentials": "kserve-container",
        f"{PREFIX}storage-spec": "true",
        f"{PREFIX}storage-spec-key": "mine",
        f"{PREFIX}storage-spec-param": '{"region":"x"}',
    }


def test_a_default_entry_need_not_be_there_and_the_secret_can_be_another() -> None:
    storage = Storage((Location("hdfs://iris"),), Entry("", {"type": "hdfs"}))
    marks = {"serving.kserve.io/storageSecretName": "other"}
    made, _ = attach(
        pod(), "kserve-container", storage, own_predictor=True, config=CONFIG, annotations=marks
    )
    reference = {"name": "other", "key": "default_hdfs", "optional": True}
    assert env_of(made["containers"][0])["STORAGE_CONFIG"] == {"secretKeyRef": reference}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"type": "gs"}, 'storage.parameters.type is "gs"; allowed: s3, hdfs, webhdfs'),
        ({"secret_access_key": "x"}, "secret_access_key would stand in plain text in the pod"),
    ],
)
def test_parameters_that_cannot_be(parameters: dict[str, str], reason: str) -> None:
    storage = Storage((Location("s3://b/iris"),), Entry("mine", parameters))
    with pytest.raises(CompileError, match=reason):
        attach(pod(), "kserve-container", storage, own_predictor=True, config=CONFIG)


# -- the live entry


def entry_facts(value: str) -> Facts:
    return Facts(secrets={"storage-config": secret({"mine": value})})


def test_the_live_entry_completes_a_uri() -> None:
    live = entry_facts('{"type": "s3", "bucket": "b"}')
    found = resolved("<scheme-placeholder>://iris", Entry("mine"), "storage-config", live)
    assert found == "s3://b/iris"
    over = Entry("mine", {"bucket": "c"})
    assert resolved("<scheme-placeholder>://i", over, "storage-config", live) == "s3://c/i"
    assert resolved("s3://x/y", Entry("mine"), "storage-config", Facts()) == "s3://x/y"


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (Facts(), '"storage-config", which storage.key names, does not exist'),
        (Facts(secrets={"storage-config": secret({})}), 'has no key "mine"'),
        (entry_facts("no json"), "is no JSON object"),
        (entry_facts('{"type": "ftp"}'), 'has the type "ftp"; allowed: s3, hdfs, webhdfs'),
        (entry_facts("{}"), "says a type"),
        (entry_facts('{"type": "s3"}'), "says a bucket"),
    ],
)
def test_an_entry_that_does_not_help_is_named(live: Facts, reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        resolved("<scheme-placeholder>://iris", Entry("mine"), "storage-config", live)


# -- credentials


@pytest.mark.parametrize(
    ("data", "annotations", "env"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
            {"s3_endpoint": "minio:9000", "s3_usehttps": "0", "s3_region": "eu"},
            {
                "AWS_ACCESS_KEY_ID": key("AWS_ACCESS_KEY_ID"),
                "AWS_SECRET_ACCESS_KEY": key("AWS_SECRET_ACCESS_KEY"),
                "S3_USE_HTTPS": "0",
                "S3_ENDPOINT": "minio:9000",
                "AWS_ENDPOINT_URL": "http://minio:9000",
                "AWS_DEFAULT_REGION": "eu",
            },
        ),
        (
            {"awsAccessKeyID": "a", "awsSecretAccessKey": "b"},
            {},
            {
                "AWS_ACCESS_KEY_ID": key("awsAccessKeyID"),
                "AWS_SECRET_ACCESS_KEY": key("awsSecretAccessKey"),
            },
        ),
        (
            {"gcloud-application-credentials.json": "{}"},
            {},
            {
                "GOOGLE_APPLICATION_CREDENTIALS": (
                    "/var/secrets/gcloud-application-credentials.json"
                )
            },
        ),
        (
            {"AZ_CLIENT_ID": "a", "AZ_CLIENT_SECRET": "b", "AZURE_TENANT_ID": "t"},
            {},
            {
                "AZURE_TENANT_ID": key("AZURE_TENANT_ID"),
                "AZURE_CLIENT_ID": key("AZ_CLIENT_ID"),
                "AZURE_CLIENT_SECRET": key("AZ_CLIENT_SECRET"),
            },
        ),
        ({"HF_TOKEN": "t"}, {}, {"HF_TOKEN": key("HF_TOKEN")}),
        ({"https-host": "h.io", "headers": "{}"}, {}, {"h.io-headers": key("headers")}),
        ({"HDFS_NAMENODE": "n"}, {}, {}),
        ({"something": "else"}, {}, {}),
    ],
)
def test_secrets_of_a_service_account(
    data: dict[str, str], annotations: dict[str, str], env: dict[str, Any]
) -> None:
    found = access_of("sa", {}, facts(data, **annotations), CONFIG)
    assert env_of({"env": found.env}) == env


def test_key_files_are_mounted() -> None:
    for data, folder in (
        ({"gcloud-application-credentials.json": "{}"}, "/var/secrets/"),
        ({"HDFS_NAMENODE": "n"}, "/var/secrets/kserve-hdfscreds"),
    ):
        found = access_of("sa", {}, facts(data), CONFIG)
        assert [mount["mountPath"] for mount in found.mounts] == [folder]
        assert [volume["secret"] for volume in found.volumes] == [{"secretName": "creds"}]


@pytest.mark.parametrize(
    ("marks", "folder"),
    [({}, "/etc/ssl/custom-certs"), ({"s3_cabundle": "/certs/ca.crt"}, "/certs")],
)
def test_certificates_are_mounted(marks: dict[str, str], folder: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    found = access_of("sa", {}, facts(keys, s3_cabundle_configmap="ca", **marks), CONFIG)
    assert [mount["mountPath"] for mount in found.mounts] == [folder]
    assert [volume["configMap"] for volume in found.volumes] == [{"name": "ca"}]
    assert env_of({"env": found.env})["CA_BUNDLE_VOLUME_MOUNT_POINT"] == folder


def test_a_role_gives_the_settings_alone_and_a_secret_of_the_pod_stands_for_the_accounts() -> None:
    marks = {"eks.amazonaws.com/role-arn": "arn", "serving.kserve.io/s3-region": "eu"}
    live = Facts(
        {"sa": {"metadata": {"annotations": marks}, "secrets": [{"name": "gone"}]}},
        {"mine": secret({"HF_TOKEN": "t"})},
    )
    assert env_of({"env": access_of("sa", {}, live, CONFIG).env}) == {"AWS_DEFAULT_REGION": "eu"}
    named = {"serving.kserve.io/storageSecretName": "mine"}
    assert "HF_TOKEN" in env_of({"env": access_of("sa", named, live, CONFIG).env})
    assert access_of("nobody", {}, live, CONFIG).env == ()


# -- storage containers


def container(name: str, *forms: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "disabled": spec.pop("disabled", False),
        "spec": {"container": {"image": name}, "supportedUriFormats": [*forms], **spec},
    }


def test_the_first_container_that_supports_a_location_fetches_it() -> None:
    known = [
        container("z", {"prefix": "s3://"}),
        container("b", {"regex": r"https://.*\.blob\."}, {"prefix": "abfs://"}),
        container("a", {"prefix": "s3://"}, disabled=True),
        container("c", {"prefix": "s3://"}, workloadType="localModelDownloadJob"),
    ]
    assert matching_container(["s3://b/m"], known) == {"image": "z"}
    assert matching_container(["https://me.blob.core/x"], known) == {"image": "b"}
    assert matching_container(["gs://b/m"], known) is None


def test_a_container_for_one_location_is_not_given_two() -> None:
    one = container("one", {"prefix": "s3://"})
    many = container("two", {"prefix": "s3://"}, supportsMultiModelDownload=True)
    with pytest.raises(CompileError, match='"one" fetches one location, and storageUris has 2'):
        matching_container(["s3://a", "s3://b"], [one])
    assert matching_container(["s3://a", "s3://b"], [one, many]) == {"image": "two"}


def test_a_malformed_regex_is_named() -> None:
    with pytest.raises(CompileError, match=r'"bad" has the regex "\(", which is malformed'):
        matching_container(["s3://a"], [container("bad", {"regex": "("})])
