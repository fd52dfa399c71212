"""The OpenAPI documents, held against the server they describe, and the page made beside them."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator

from predictors.serving.model import Model
from predictors.serving.openapi import contents, document, page
from predictors.serving.repository.states import IndexEntry


def examples(models: list[Model]) -> Any:
    for path, methods in document(models)["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        for media in content.values():
            for example in media.get("examples", {}).values():
                yield path, media["schema"], example["value"]


def test_every_example_works_and_fits_its_schema(
    url: str, flowers: Model, shirts: Model, echo: Model
) -> None:
    posted = list(examples([flowers, shirts, echo]))
    assert len(posted) == 6
    for path, schema, example in posted:
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(example)
        answer = httpx.post(url + path, json=example)
        assert answer.status_code == 200, answer.text


def test_every_get_path_is_there(url: str) -> None:
    told = httpx.get(f"{url}/openapi.json").json()
    for path, methods in told["paths"].items():
        if "get" in methods:
            assert httpx.get(url + path).status_code == 200, path


def test_a_models_own_document(url: str) -> None:
    told = httpx.get(f"{url}/v2/models/shirts/openapi.json").json()
    assert told["info"]["title"] == "shirts"
    assert all("shirts" in path for path in told["paths"])
    row = told["paths"]["/v1/models/shirts:predict"]["post"]["requestBody"]["content"]
    properties = row["application/json"]["schema"]["properties"]["instances"]["items"]
    assert properties["properties"]["colour"] == {"enum": ["red", "blue"]}
    assert properties["properties"]["size"] == {"type": "integer", "minimum": -128, "maximum": 127}
    assert properties["required"] == ["colour", "size", "price"]


def test_the_page_is_self_contained_and_escaped(url: str) -> None:
    answer = httpx.get(f"{url}/v2/models/shirts/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "in &lt;b&gt;cm&lt;/b&gt;" in answer.text
    assert "src=" not in answer.text
    assert "{{" not in answer.text


def test_all_pages_are_found_from_one(url: str) -> None:
    answer = httpx.get(f"{url}/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    paths = re.findall(r"<a href='(/v2/[^']+)'", answer.text)
    assert paths
    for path in paths:
        assert httpx.get(f"{url}{path}").status_code == 200
    listed = contents([IndexEntry("<b>&", "1", "READY"), IndexEntry("i", "2", "LOADING", "<i>")])
    assert "<a href='/v2/models/%3Cb%3E%26/versions/1/docs'>&lt;b&gt;&amp; 1</a>" in listed
    assert "<li>i 2: LOADING &lt;i&gt;" in listed
    assert "There is none." in contents([])


def test_a_hostile_name_stays_text() -> None:
    class Hostile(Model):
        def load(self) -> None: ...

        def predict(self, inputs: Any, wanted: Any) -> Any: ...

    text = page(Hostile("<script>{{inputs}}\"'"))
    assert "<script>{{" not in text
    assert "&lt;script&gt;{{inputs}}&quot;&#x27;" in text


def test_an_unknown_model_has_no_page(url: str) -> None:
    assert httpx.get(f"{url}/v2/models/no/docs").status_code == 404


@pytest.mark.filterwarnings("ignore")
def test_schemathesis_finds_no_server_error(url: str) -> None:
    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations: list[Any] = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 15
    with httpx.Client(base_url=url, timeout=10) as client:
        for operation in operations:
            for mode in schemathesis.GenerationMode:
                _ask(operation, mode, url)
        assert client.get("/v2/health/ready").status_code == 200


def _ask(operation: Any, mode: Any, url: str) -> None:
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        response = case.call(base_url=url)
        # 501: this server has no repository to load from.
        assert response.status_code < 500 or response.status_code == 501, response.text

    with contextlib.suppress(Unsatisfiable):  # a GET without parameters cannot be asked wrongly
        call()
