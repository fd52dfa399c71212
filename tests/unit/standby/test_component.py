"""The component standby: what it adds to an installation, and nothing where it is left out."""

from __future__ import annotations

from rouse.installer.selection import Selection, select
from rouse.kube.objects import Object


def rendered(*components: str) -> dict[tuple[str, str], Object]:
    objects = select(Selection("minimal", components))
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def test_rights_and_the_webhook_come_with_it() -> None:
    without, with_it = rendered(), rendered("standby")
    assert with_it.keys() - without.keys() == {
        ("ClusterRole", "rouse-standby"),
        ("ClusterRoleBinding", "rouse-standby"),
    }
    key = ("MutatingWebhookConfiguration", "rouse-webhook")
    before, after = without[key]["webhooks"], with_it[key]["webhooks"]
    (added,) = (each for each in after if each not in before)
    assert len(after) == len(before) + 1
    # It does what that of the services' own pods does, for other pods.
    (own,) = (each for each in before if each["name"] == "pods.rouse.dev")
    assert added.pop("name") == "standby-pods.rouse.dev"
    (chosen,) = added.pop("objectSelector")["matchExpressions"]
    assert chosen == {"key": "rouse.dev/standby", "operator": "Exists"}
    assert all(own[name] == value for name, value in added.items())


def test_the_controller_makes_no_pod_and_reads_no_secret() -> None:
    for rule in rendered("standby")["ClusterRole", "rouse-standby"]["rules"]:
        assert not {"secrets", "*"} & set(rule["resources"])
        assert "pods" not in rule["resources"] or set(rule["verbs"]) == {"patch", "delete"}
