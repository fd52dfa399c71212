"""Real Envoy enforces RequestAuthentication and AuthorizationPolicy as they are compiled."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rouse.api.apikeys import Key, hash_of
from rouse.authorizer.decision import Verdict, decide
from rouse.authorizer.hosts import HostTable
from rouse.authorizer.server import AuthorizationServer
from rouse.kube.objects import Object
from tests.unit.mesh.harness import (
    Bench,
    backend,
    endpoint_slice,
    service,
    target,
    virtual_service,
)

ISSUER = "https://login.example.com"
HOSTS = ["iris.default.localhost", "iris.default.localhost:*"]
SELECTOR = {"matchLabels": {"istio": "ingressgateway"}}


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> str:
        numbers = self._key.public_key().public_numbers()
        modulus, exponent = numbers.n.to_bytes(256, "big"), numbers.e.to_bytes(3, "big")
        key = {"kty": "RSA", "alg": "RS256", "kid": "one", "use": "sig"}
        return json.dumps({"keys": [{**key, "n": encoded(modulus), "e": encoded(exponent)}]})

    def token(self, **claims: Any) -> dict[str, str]:
        """The header of a token that holds for a minute; claims of None are left out."""
        now = int(time.time())
        body = {"iss": ISSUER, "sub": "ann", "aud": "models", "exp": now + 60, **claims}
        head = {"alg": "RS256", "typ": "JWT", "kid": "one"}
        kept = {name: value for name, value in body.items() if value is not None}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, kept))
        mark = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {"authorization": f"Bearer {signed}.{encoded(mark)}"}


def policy(kind: str, spec: Object, *, namespace: str = "istio-system") -> Object:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": kind,
        "metadata": {"name": "rouse-jwt", "namespace": namespace},
        "spec": {"selector": SELECTOR, **spec},
    }


def authentication(issuer: Issuer, **rule: Any) -> Object:
    rules = [{"issuer": ISSUER, "jwks": issuer.jwks, "audiences": ["models"], **rule}]
    return policy("RequestAuthentication", {"jwtRules": rules})


def no_token_no_entry(**operation: Any) -> Object:
    rule = {
        "from": [{"source": {"notRequestPrincipals": ["*"]}}],
        "to": [{"operation": {"hosts": HOSTS, **operation}}],
    }
    return policy("AuthorizationPolicy", {"action": "DENY", "rules": [rule]})


def keys_only(*, tokens_too: bool = False) -> Object:
    rules = [{"to": [{"operation": {"hosts": HOSTS}}]}]
    provider = {"name": "rouse-authorizer"}
    made = policy("AuthorizationPolicy", {"action": "CUSTOM", "provider": provider, "rules": rules})
    made["metadata"] |= {
        "name": "rouse-api-key-default.iris",
        "labels": {
            "rouse.dev/inferenceservice-namespace": "default",
            "serving.kserve.io/inferenceservice": "iris",
        },
        "annotations": {"rouse.dev/api-keys": "iris-api-keys"}
        | ({"rouse.dev/tokens-too": "true"} if tokens_too else {}),
    }
    return made


def key(name: str, text: str) -> Key:
    return Key(name, bytes.fromhex(hash_of(text).removeprefix("sha256:")))


@asynccontextmanager
async def authorizer(bench: Bench, policies: Sequence[Object], *keys: Key) -> AsyncIterator[None]:
    """What the engine runs, with these policies and keys."""
    table = HostTable.of(policies)

    def judge(host: str, path: str, headers: Mapping[str, str]) -> Verdict:
        return decide(host, path, headers, table=table, keys_of=lambda _: keys)

    server = AuthorizationServer(judge, bench.paths.authorizer_socket)
    await server.start()
    try:
        yield
    finally:
        await server.stop()


async def status(bench: Bench, host: str = "iris", path: str = "/", **headers: str) -> int:
    return (await bench.ask(host, path, headers=headers)).status_code


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


async def test_a_token_opens_the_protected_host_and_others_stay_open(
    bench: Bench, issuer: Issuer
) -> None:
    async with backend("a") as a:
        routes = [virtual_service(name, {"route": [target("a")]}) for name in ("iris", "open")]
        bench.apply(service("a"), endpoint_slice("a", a.port), *routes)
        await bench.settle()
        assert await status(bench) == 200

        bench.apply(authentication(issuer), no_token_no_entry())
        await bench.settle()

        assert await status(bench) == 403
        assert await status(bench, host="iris.default.localhost:8080") == 403
        assert await status(bench, host="IRIS.default.localhost") == 403
        assert await status(bench, **issuer.token()) == 200
        assert await status(bench, **issuer.token(aud="somebody-else")) == 403
        assert await status(bench, **issuer.token(exp=int(time.time()) - 3600)) == 401
        assert await status(bench, **issuer.token(iss="https://elsewhere")) == 401
        assert await status(bench, **Issuer().token()) == 401
        assert await status(bench, host="open") == 200
        assert bench.findings == []

        bench.remove(no_token_no_entry())
        await bench.settle()
        assert await status(bench) == 200


async def test_a_path_is_protected_alone(bench: Bench, issuer: Issuer) -> None:
    async with backend("a") as a:
        route = virtual_service("iris", {"route": [target("a")]})
        closed = no_token_no_entry(paths=["/serving/iris", "/serving/iris/*"])
        bench.apply(service("a"), endpoint_slice("a", a.port), route)
        bench.apply(authentication(issuer), closed)
        await bench.settle()

        for path in ("/serving/iris", "/serving/iris/v1", "/x/../serving/iris/v1"):
            assert await status(bench, path=path) == 403, path
        assert await status(bench, path="/serving/iris/v1", **issuer.token()) == 200
        assert await status(bench, path="/serving/irises") == 200


async def test_a_token_in_a_header_of_its_own_does_not_reach_the_model(
    bench: Bench, issuer: Issuer
) -> None:
    async with backend("a") as a:
        where = {"fromHeaders": [{"name": "x-token", "prefix": "Token "}]}
        bench.apply(service("a"), endpoint_slice("a", a.port))
        bench.apply(virtual_service("iris", {"route": [target("a")]}))
        bench.apply(authentication(issuer, **where), no_token_no_entry())
        await bench.settle()

        token = issuer.token()["authorization"].replace("Bearer", "Token")
        answer = await bench.ask("iris", headers={"x-token": token, "authorization": "sk-123"})
        assert answer.status_code == 200
        seen = answer.json()["headers"]
        assert "x-token" not in seen
        assert seen["authorization"] == "sk-123"


async def test_a_key_opens_the_protected_host_and_stays_at_the_gateway(bench: Bench) -> None:
    closed = keys_only()
    keys = (key("old", "rk_old"), key("new", "rk_new"))
    async with backend("a") as a, authorizer(bench, [closed], *keys):
        routes = [virtual_service(name, {"route": [target("a")]}) for name in ("iris", "open")]
        bench.apply(service("a"), endpoint_slice("a", a.port), *routes, closed)
        await bench.settle()

        none = await bench.ask("iris", "/v1/models/iris:predict", method="POST")
        assert none.status_code == 401
        assert none.headers["www-authenticate"].startswith("Bearer")
        assert 'send "Authorization: Bearer <key>" or "x-api-key' in none.json()["error"]
        wrong = await bench.ask("iris", headers={"x-api-key": "rk_other"})
        assert wrong.status_code == 403
        assert "ask the model's owner" in wrong.json()["error"]
        assert "rk_other" not in wrong.text

        for text, name in (("rk_old", "old"), ("rk_new", "new")):
            for sent in ({"x-api-key": text}, {"authorization": f"Bearer {text}"}):
                # Whoever makes up a name gets that of the key.
                answer = await bench.ask("iris", headers={**sent, "x-rouse-api-key-name": "root"})
                assert answer.status_code == 200
                seen = answer.json()["headers"]
                assert seen["x-rouse-api-key-name"] == name
                assert text not in str(seen)
        assert await status(bench, host="iris.default.localhost:8080") == 401
        assert await status(bench, host="IRIS.default.localhost") == 401
        assert await status(bench, host="open") == 200
        assert bench.findings == []
        asked = await bench.ask("open", headers={"authorization": "Bearer mine"})
        assert asked.json()["headers"]["authorization"] == "bearer mine"

    # Nobody to ask: closed.
    assert await status(bench, **{"x-api-key": "rk_new"}) == 503


async def test_a_key_or_a_token_will_do(bench: Bench, issuer: Issuer) -> None:
    closed = keys_only(tokens_too=True)
    denied = no_token_no_entry()
    when = {"key": "request.headers[x-rouse-api-key-name]", "notValues": ["*"]}
    denied["spec"]["rules"][0]["when"] = [when]
    async with backend("a") as a, authorizer(bench, [closed], key("ann", "rk_ann")):
        bench.apply(service("a"), endpoint_slice("a", a.port))
        bench.apply(virtual_service("iris", {"route": [target("a")]}))
        bench.apply(authentication(issuer), denied, closed)
        await bench.settle()

        assert await status(bench) == 403
        assert await status(bench, **{"x-rouse-api-key-name": "root"}) == 403
        assert await status(bench, authorization="Bearer rk_ann") == 200
        assert await status(bench, **{"x-api-key": "rk_ann"}) == 200
        assert await status(bench, **{"x-api-key": "rk_other"}) == 403
        assert await status(bench, **issuer.token()) == 200
        assert await status(bench, **Issuer().token()) == 401
        assert bench.findings == []


async def test_ports_without_http_are_named_and_the_hosts_of_the_others_stay_closed(
    bench: Bench,
) -> None:
    """With auth.gatewayTcpPorts (golden: auth-jwt-beside-tcp)."""
    ingress = bench.ports.ingress
    async with backend("a") as a:
        bench.apply(service("a"), endpoint_slice("a", a.port))
        bench.apply(virtual_service("iris", {"route": [target("a")]}))
        bench.apply(no_token_no_entry(notPorts=["31400", "none", "70000"]))
        await bench.settle()
        assert await status(bench) == 403

        bench.apply(no_token_no_entry(notPorts=[str(ingress)]))
        await bench.settle()
        assert await status(bench) == 200
    assert bench.findings == []


async def test_a_host_with_a_dot_at_its_end_is_another_as_at_istios_gateway(
    bench: Bench,
) -> None:
    async with backend("a") as a:
        bench.apply(service("a"), endpoint_slice("a", a.port))
        bench.apply(virtual_service("iris", {"route": [target("a")]}), no_token_no_entry())
        await bench.settle()
        for host in ("iris.default.localhost.", "iris.default.localhost.:80"):
            assert await status(bench, host=host) == 404


async def test_what_is_not_understood_is_told_and_never_lets_more_through(bench: Bench) -> None:
    odd = no_token_no_entry(ports=["8080"])
    custom = policy("AuthorizationPolicy", {"action": "CUSTOM", "rules": [{}]})
    custom["metadata"]["name"] = "custom"
    async with backend("a") as a:
        bench.apply(service("a"), endpoint_slice("a", a.port))
        bench.apply(virtual_service("iris", {"route": [target("a")]}), odd)
        await bench.settle()
        assert await status(bench) == 403

        bench.apply(custom)
        await bench.settle()
        assert await status(bench, host="elsewhere.default.localhost") == 403
    assert {"spec.action" in each.message for each in bench.findings} == {True, False}


async def test_callers_inside_the_cluster_are_asked_where_the_policy_names_their_host(
    bench: Bench, issuer: Issuer
) -> None:
    inside = "iris.default.svc.cluster.local"
    local = f"http://127.0.0.1:{bench.ports.local}/"
    async with backend("a") as a:
        hosts = ["iris.default.localhost", inside]
        route = virtual_service("iris", {"route": [target("a")]}, hosts=hosts)
        bench.apply(service("a"), endpoint_slice("a", a.port), route)
        bench.apply(authentication(issuer), no_token_no_entry())
        await bench.settle()
        assert await status(bench) == 403
        assert await status(bench, host=inside, path=local) == 200

        bench.apply(no_token_no_entry(hosts=[*HOSTS, inside, f"{inside}:*"]))
        await bench.settle()
        assert await status(bench, host=inside, path=local) == 403
        assert await status(bench, host=inside, path=local, **issuer.token()) == 200


async def test_hosts_of_the_inside_lead_nowhere_from_outside(bench: Bench) -> None:
    """The rule that the compiler puts first where somebody is asked (golden: auth-routes)."""
    inside = "iris.default.svc.cluster.local"
    local = f"http://127.0.0.1:{bench.ports.local}/"
    closed = {
        "match": [
            {
                "authority": {"regex": rf"(?i)^({re.escape(inside)})(:.*)?$"},
                "gateways": ["knative-serving/knative-ingress-gateway"],
            }
        ],
        "directResponse": {"status": 404},
    }
    async with backend("a") as a:
        hosts = ["iris.default.localhost", inside]
        route = virtual_service("iris", closed, {"route": [target("a")]}, hosts=hosts)
        bench.apply(service("a"), endpoint_slice("a", a.port), route)
        await bench.settle()
        for host in (inside, inside.upper(), f"{inside}:80", f"{inside}.", f"{inside}.:80"):
            assert await status(bench, host=host) == 404, host
        assert await status(bench) == 200
        assert await status(bench, host=inside, path=local) == 200
        assert bench.findings == []
