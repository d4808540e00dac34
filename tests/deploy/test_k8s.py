"""What deploy/k8s builds: it fits its schemas, a typo in it does not, and it keeps its promises."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.common.eventlog_kafka import PARTITIONS, RECORD_BYTES_MAX
from libs.common.events import (
    BELLS,
    CALENDAR,
    COMPACTED,
    DEAD_LETTERS,
    FEED,
    FOLLOW_UPS,
    INVOLVEMENTS,
    JUDGEMENTS,
    REGISTERS,
    ROLL,
    TOPICS,
)
from libs.common.settings import PREFIX, ServiceSettings
from services.notify import main as notify
from services.risk import main as risk

ROOT = Path(__file__).parents[2]
OVERLAYS = ("authority", "region")
Resource = dict[str, Any]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/check-deploy"), str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(params=OVERLAYS, scope="module")
def built(request: pytest.FixtureRequest) -> list[Resource]:
    command = [str(ROOT / "scripts/kustomize"), str(ROOT / "deploy/k8s/overlays" / request.param)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.load_all(out, yaml.CSafeLoader))


def of_kind(built: list[Resource], *kinds: str) -> list[Resource]:
    return [resource for resource in built if resource["kind"] in kinds]


def pods_of(built: list[Resource]) -> list[Resource]:
    return [r["spec"]["template"]["spec"] for r in of_kind(built, "Deployment", "Job")]


def containers_of(built: list[Resource]) -> list[Resource]:
    pods = pods_of(built)
    return [c for pod in pods for c in (*pod["containers"], *pod.get("initContainers", ()))]


def test_every_overlay_fits_the_schemas() -> None:
    done = check(ROOT)

    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == list(OVERLAYS)


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("base/services.yaml", "livenessProbe:", "livenesProbe:"),
        ("base/network.yaml", "podSelector: {}", "podSelectors: {}"),
        ("base/autoscaling.yaml", "maxReplicaCount:", "maxReplicasCount:"),
        ("base/kafka.yaml", "networkPolicyPeers:", "networkPolicyPeer:"),
        ("base/postgres.yaml", "instances: 2", "instances: two"),
        ("base/secrets.yaml", "secretStoreRef:", "secretstoreRef:"),
    ],
)
def test_a_planted_typo_is_found(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.rmtree(tmp_path / "deploy/k8s/overlays/region")  # one is enough, and faster
    planted = tmp_path / "deploy/k8s" / file
    before = planted.read_text()
    assert right in before
    planted.write_text(before.replace(right, wrong))

    done = check(tmp_path)

    assert done.returncode == 1
    assert wrong.split(":")[0] in done.stderr or "two" in done.stderr


def test_no_container_can_write_or_gain_rights(built: list[Resource]) -> None:
    containers = containers_of(built)

    assert len(containers) == 7  # three services with an init container each, and the migration
    for container in containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert not container["image"].endswith(":latest")


def test_no_pod_runs_as_root_or_bears_a_token(built: list[Resource]) -> None:
    for pod in pods_of(built):
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == "firstbell"
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_kind(built, "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding") == []


def test_every_setting_that_a_pod_is_given_is_one(built: list[Resource]) -> None:
    known = {PREFIX + name.upper() for name in ServiceSettings.model_fields}
    given = {name for config in of_kind(built, "ConfigMap") for name in config["data"]}
    given |= {item["name"] for c in containers_of(built) for item in c.get("env", ())}
    secrets = of_kind(built, "ExternalSecret")
    given |= {item["secretKey"] for secret in secrets for item in secret["spec"]["data"]}

    assert {name for name in given if name.startswith(PREFIX)} <= known


def test_every_certificate_that_a_container_is_told_of_is_mounted_there(
    built: list[Resource],
) -> None:
    (config,) = (
        c["data"] for c in of_kind(built, "ConfigMap") if c["metadata"]["name"] == "settings"
    )
    services = [d["spec"]["template"]["spec"] for d in of_kind(built, "Deployment")]

    for container in (c for s in services for c in (*s["containers"], *s["initContainers"])):
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        for name in ("CA", "CERTIFICATE", "KEY"):
            assert str(Path(config[f"FIRSTBELL_KAFKA_{name}"]).parent) in mounted
    for container in containers_of(built):
        (url,) = (e["value"] for e in container["env"] if e["name"].endswith("_URL"))
        _, tls = url.split("?")
        assert tls == "sslmode=verify-full&sslrootcert=/tls/database/ca.crt"
        assert "/tls/database" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_each_service_writes_and_reads_the_topics_that_it_must_and_changes_none(
    built: list[Resource],
) -> None:
    rights = {user["metadata"]["name"]: rights_of(user) for user in of_kind(built, "KafkaUser")}

    assert rights["ingest"]["Write"] == {REGISTERS, ROLL, CALENDAR}
    assert rights["risk"]["Write"] == {BELLS, FOLLOW_UPS} | {t + DEAD_LETTERS for t in risk.READS}
    assert rights["risk"]["Read"] == {*risk.READS, "risk"}
    written = {INVOLVEMENTS, JUDGEMENTS, FEED} | {t + DEAD_LETTERS for t in notify.READS}
    assert rights["notify"]["Write"] == written
    assert rights["notify"]["Create"] == {FEED}
    assert rights["notify"]["Read"] == {*notify.READS, "notify"}
    assert {operation for user in rights.values() for operation in user} == {
        "Create", "Describe", "Read", "Write",
    }  # fmt: skip
    assert set(rights["lag"]) == {"Describe"}


def rights_of(user: Resource) -> dict[str, set[str]]:
    """The names of topics and groups by operation."""
    found: dict[str, set[str]] = {}
    for acl in user["spec"]["authorization"]["acls"]:
        for operation in acl["operations"]:
            found.setdefault(operation, set()).add(acl["resource"]["name"])
    return found


def test_the_topics_are_as_the_services_would_make_them(built: list[Resource]) -> None:
    topics = {t["metadata"]["name"]: t["spec"] for t in of_kind(built, "KafkaTopic")}

    assert set(topics) == {name for topic in TOPICS for name in (topic, topic + DEAD_LETTERS)}
    for name, spec in topics.items():
        compacted = {"cleanup.policy": "compact"} if name in COMPACTED else {}
        assert spec["partitions"] == PARTITIONS
        assert spec["config"] == {
            "max.message.bytes": RECORD_BYTES_MAX,
            "retention.ms": 34_560_000_000,
            **compacted,
        }


def test_nothing_comes_in_and_no_service_goes_out_but_where_a_way_is_named(
    built: list[Resource],
) -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in of_kind(built, "NetworkPolicy")}

    assert policies["nobody-comes-in"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert "egress" not in policies["services-go-nowhere"]
    internet = policies["notify-reaches-the-internet"]
    assert internet["podSelector"] == {"matchLabels": {"firstbell.uk/service": "notify"}}
    assert [port["port"] for way in internet["egress"] for port in way["ports"]] == [443]


def test_what_sends_e_mails_signs_in_with_a_secret_that_no_other_pod_has(
    built: list[Resource],
) -> None:
    named = {"FIRSTBELL_SMTP_PASSWORD", "FIRSTBELL_GOVUK_NOTIFY_KEY"}
    having = {
        (deployment["metadata"]["name"], name)
        for deployment in of_kind(built, "Deployment", "Job")
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for name in named & {variable["name"] for variable in container["env"]}
    }
    (settings,) = [
        c["data"] for c in of_kind(built, "ConfigMap") if c["metadata"]["name"] == "settings"
    ]

    assert {pod for pod, _ in having} == {"notify"}
    assert len(having) == 1
    assert not named & set(settings)


def test_the_ingress_has_one_prefix_a_service(built: list[Resource]) -> None:
    (ingress,) = of_kind(built, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    paths = {p["path"]: p["backend"]["service"]["name"] for p in rule["http"]["paths"]}

    assert paths == {"/ingest": "ingest", "/risk": "risk", "/notify": "notify", "/": "ingest"}


def test_workers_are_never_more_than_a_topic_has_partitions(built: list[Resource]) -> None:
    scaled = {s["metadata"]["name"]: s["spec"] for s in of_kind(built, "ScaledObject")}

    assert set(scaled) == {"risk", "notify"}
    for name, spec in scaled.items():
        assert spec["maxReplicaCount"] <= PARTITIONS
        assert [t["metadata"]["consumerGroup"] for t in spec["triggers"]] == [name]
