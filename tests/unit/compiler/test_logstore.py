"""Stored logs: what the pod webhook gives to KServe's agent and to Rouse's own model servers."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferenceservice.component import Logger
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.logstore import check_bucket
from rouse.compiler.podwebhook import concerns, mutate
from rouse.compiler.storage import Facts

OWN = "internal.rouse.dev/logger-"
THEIRS = "internal.serving.kserve.io/logger"
ACCOUNTS = {
    "default": {"metadata": {"name": "default"}, "secrets": [{"name": "model"}]},
    "log-writer": {"metadata": {"name": "log-writer"}, "secrets": [{"name": "logs"}]},
}
S3 = {"metadata": {}, "data": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}}
GCS = {"metadata": {}, "data": {"gcloud-application-credentials.json": ""}}


def facts(logs: dict[str, Any], model: dict[str, Any] = S3) -> Facts:
    return Facts(ACCOUNTS, {"logs": logs, "model": model})


def pod(annotations: dict[str, str], **container: Any) -> dict[str, Any]:
    main = {"name": "kserve-container", "image": "i", **container}
    meta = {"generateName": "iris-", "annotations": annotations, "namespace": "default"}
    return {"metadata": meta, "spec": {"containers": [main]}}


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container.get("env", ())}


def secret(name: str, key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


STORED_BY_THE_AGENT = {
    THEIRS: "true",
    f"{THEIRS}-sink-url": "s3://logs",
    f"{OWN}store-path": "iris",
    f"{OWN}store-format": "parquet",
    f"{OWN}batch-size": "64",
    f"{OWN}batch-interval": "5s",
    f"{OWN}marshaller-url": "http://m/marshal",
    f"{OWN}service-account": "log-writer",
}
STORED_BY_THE_SERVER = {
    f"{OWN}credentials": "kserve-container",
    f"{OWN}service-account": "log-writer",
}


def test_the_agent_is_told_where_and_how_to_store() -> None:
    made = mutate(pod(STORED_BY_THE_AGENT), config=Config(), facts=facts(S3))
    args = made["spec"]["containers"][-1]["args"]
    said = dict(zip(args[::2], args[1::2], strict=True))
    assert said["--log-url"] == "s3://logs"
    assert said["--log-store-path"] == "iris"
    assert said["--log-store-format"] == "parquet"
    assert said["--log-batch-size"] == "64"
    assert said["--log-batch-interval"] == "5s"
    assert said["--log-marshaller-url"] == "http://m/marshal"


def test_the_agent_opens_the_bucket_with_the_secrets_of_the_loggers_account() -> None:
    made = mutate(pod(STORED_BY_THE_AGENT), config=Config(), facts=facts(S3))
    server, agent = made["spec"]["containers"]
    assert env_of(agent)["AWS_SECRET_ACCESS_KEY"] == secret("logs", "AWS_SECRET_ACCESS_KEY")
    assert "env" not in server
    assert mutate(made, config=Config(), facts=facts(S3)) == made


def test_an_agent_that_stores_nothing_has_no_credentials() -> None:
    asked = pod({THEIRS: "true", f"{THEIRS}-sink-url": "http://sink"})
    made = mutate(asked, config=Config(), facts=facts(S3))
    assert "env" not in made["spec"]["containers"][-1]


def test_a_server_that_stores_has_the_credentials_of_the_logs_beside_those_of_the_model() -> None:
    model = [{"name": "STORAGE_URI", "value": "s3://models/iris"}]
    fetched = {"internal.rouse.dev/storage-credentials": "kserve-container"}
    asked = pod({**STORED_BY_THE_SERVER, **fetched}, env=model)
    assert concerns(asked)
    made = mutate(asked, config=Config(), facts=facts(S3))
    said = env_of(made["spec"]["containers"][0])
    key = "AWS_SECRET_ACCESS_KEY"
    assert said[key] == secret("model", key)
    assert said[f"ROUSE_LOGGER_ENV_{key}"] == secret("logs", key)
    assert mutate(made, config=Config(), facts=facts(S3)) == made


def test_a_key_file_of_the_logs_has_a_folder_of_its_own() -> None:
    made = mutate(pod(STORED_BY_THE_SERVER), config=Config(), facts=facts(GCS))
    (server,) = made["spec"]["containers"]
    (mount,) = server["volumeMounts"]
    (volume,) = made["spec"]["volumes"]
    assert volume == {"name": "logger-user-gcp-sa", "secret": {"secretName": "logs"}}
    assert mount["name"] == volume["name"]
    file = env_of(server)["ROUSE_LOGGER_ENV_GOOGLE_APPLICATION_CREDENTIALS"]
    assert file == f"{mount['mountPath']}gcloud-application-credentials.json"


def test_a_folder_is_a_store_of_our_own_servers_only() -> None:
    logger = Logger.model_validate({"storage": {}})
    check_bucket(logger, "file:///logs", "spec.predictor.logger", own=True)
    with pytest.raises(CompileError, match=r"names no bucket.*abfs://, gs://, s3://"):
        check_bucket(logger, "file:///logs", "spec.predictor.logger", own=False)


def test_a_model_that_is_decrypted_is_fetched_by_an_initializer_that_is_told_so() -> None:
    prefix = "internal.serving.kserve.io/"
    asked = pod(
        {
            f"{prefix}storage-initializer-sourceuri": "s3://models/iris",
            f"{prefix}confidential-enabled": "true",
            f"{prefix}confidential-resource-id": "kbs:///default/key/iris",
        }
    )
    made = mutate(asked, config=Config(), facts=facts(S3))
    said = env_of(made["spec"]["initContainers"][0])
    assert said["CONFIDENTIAL_ENABLED"] == "true"
    assert said["CONFIDENTIAL_RESOURCE_ID"] == "kbs:///default/key/iris"
