"""The rights in Kafka that deploy/k8s gives suffice for the main story, on a real broker."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from libs.common.eventlog import LogUnavailable, Message
from libs.common.eventlog_kafka import KafkaEventLog, NewTopics, ensure_topics
from libs.common.events import BELLS, REGISTERS
from libs.common.settings import ServiceSettings
from libs.common.tls import kafka_options
from tests.conftest import until
from tests.patience import PATIENCE_S
from tests.service.notify_app import BEN
from tests.system.certificates import Authority
from tests.system.receiver import Receiver
from tests.system.servers import run
from tests.system.stack import (
    ADA,
    FIRSTBELL,
    REGISTER,
    URN,
    Stack,
    free_port,
    people,
    put,
    wait_for,
)

USERS = Path(__file__).parents[2] / "deploy/k8s/base/kafka-users.yaml"
SERVICES = ("ingest", "risk", "notify")
PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,\
TLS://127.0.0.1:{tls}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,\
TLS://127.0.0.1:{tls}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.tls.ssl.client.auth=required
listener.name.tls.ssl.principal.mapping.rules=RULE:^.*CN=([a-z]+).*$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
TYPES = {"topic": 2, "group": 3}
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8}
ALLOW = 3

pytestmark = pytest.mark.kafka


class Kafka:
    """A broker that lets in who shows a certificate, and grants each what its KafkaUser says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority(folder / "certificates")
        own, self.tls = self.authority.vouch_for("kafka"), free_port()
        keystore = folder / "kafka.pem"
        keystore.write_bytes(own.key.read_bytes() + own.certificate.read_bytes())
        properties = folder / "tls.properties"
        properties.write_text(
            PROPERTIES.format(tls=self.tls, keystore=keystore, authority=self.authority.certificate)
        )
        started = run("kafka-start", folder / "kafka", properties)
        self.operators_door = started.removeprefix("bootstrap=")

    async def prepare(self) -> None:
        """Make the topics and the rights, as Strimzi's operators do."""
        client = {"bootstrap_servers": self.operators_door}
        await ensure_topics(client, NewTopics(1, timedelta(days=400)))
        admin = AIOKafkaAdminClient(**client)
        try:
            await admin.start()
            for user in yaml.safe_load_all(USERS.read_text()):
                for acl in user["spec"]["authorization"]["acls"]:
                    for operation in acl["operations"]:
                        request = right(user["metadata"]["name"], acl["resource"], operation)
                        answer = await admin._send_request(request)
                        assert [code for code, *_ in answer.creation_responses] == [0]
        finally:
            await admin.close()
        await self._rights_hold()

    async def _rights_hold(self) -> None:
        # They are in force some moments after they were made: the last one is waited for.
        log = KafkaEventLog(f"127.0.0.1:{self.tls}", options=self.options_of("lag"))

        async def holds() -> bool:
            with suppress(LogUnavailable):
                await log.handled("risk", REGISTERS, 0)
                return True
            return False

        await until(holds)
        await log.close()

    def variables_of(self, user: str) -> dict[str, str]:
        pair = self.authority.vouch_for(user)
        return {
            "FIRSTBELL_KAFKA_SERVERS": f"127.0.0.1:{self.tls}",
            "FIRSTBELL_KAFKA_CA": str(self.authority.certificate),
            "FIRSTBELL_KAFKA_CERTIFICATE": str(pair.certificate),
            "FIRSTBELL_KAFKA_KEY": str(pair.key),
        }

    def options_of(self, user: str) -> dict[str, Any]:
        pair = self.authority.vouch_for(user)
        settings = ServiceSettings(
            database_url="sqlite://",
            kafka_ca=self.authority.certificate,
            kafka_certificate=pair.certificate,
            kafka_key=pair.key,
        )
        return kafka_options(settings)


def right(user: str, resource: dict[str, str], operation: str) -> CreateAclsRequest:
    return CreateAclsRequest(
        TYPES[resource["type"]], resource["name"], PATTERNS[resource["patternType"]],
        f"User:{user}", "*", OPERATIONS[operation], ALLOW,
    )  # fmt: skip


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    made = Kafka(tmp_path_factory.mktemp("rights"))
    try:
        asyncio.run(made.prepare())
        yield made
    finally:
        run("kafka-stop", made.folder / "kafka")


@pytest.fixture
def stack(kafka: Kafka, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    made.env |= {
        "FIRSTBELL_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        "FIRSTBELL_DATA_DIR": str(tmp_path),
        "FIRSTBELL_ALLOW_PRIVATE_ENDPOINTS": "true",
    }
    subprocess.run([FIRSTBELL, "migrate"], env=made.env, check=True)
    for service in SERVICES:
        own = [f"{name}={value}" for name, value in kafka.variables_of(service).items()]
        made.ports[service] = free_port()
        port = str(made.ports[service])
        made.commands[service] = ["env", *own, FIRSTBELL, "serve", service, "--port", port]
        made.start(service)
    try:
        made.wait_ready(*SERVICES)
        yield made
    finally:
        made.stop()


def test_the_services_need_no_other_rights_than_deploy_gives_them(
    stack: Stack, kafka: Kafka
) -> None:
    with Receiver() as receiver:
        people(stack, receiver)
        school = stack.client("ingest", "admin")

        receipt = put(school, REGISTER, {"marks": [{"upn": ADA, "code": "N"}]}).json()["receipt"]
        wait_for(lambda: receiver.received)

        assert receiver.received[0].body["type"] == "alert.raised"
        path = f"/ingest/v1/receipts/{receipt}"
        wait_for(lambda: school.get(path).json()["stage"] == "evaluated")


async def test_an_agencys_feed_is_a_topic_that_notify_may_make_and_fill(
    stack: Stack, kafka: Kafka
) -> None:
    with Receiver() as receiver:
        people(stack, receiver, BEN, "100001")  # ADA's events are in the log already
        feed = {"agency": "social", "channel": "feed"}
        made = stack.client("notify", "admin").post("/notify/v1/endpoints", json=feed)
        topic = made.raise_for_status().json()["address"]

        register = REGISTER.replace(URN, "100001")
        put(stack.client("ingest", "admin"), register, {"marks": [{"upn": BEN, "code": "N"}]})
        wait_for(lambda: receiver.received)

    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.operators_door, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        event = await asyncio.wait_for(consumer.getone(), PATIENCE_S)
    finally:
        await consumer.stop()
    told = receiver.received[0]
    assert dict(event.headers)["ce_type"] == b"uk.firstbell.alert.raised"
    assert json.loads(event.value)["data"] == told.body["data"]


async def test_no_service_writes_what_is_anothers_to_say(kafka: Kafka) -> None:
    for user, topic in (("ingest", BELLS), ("risk", REGISTERS), ("notify", BELLS)):
        log = KafkaEventLog(f"127.0.0.1:{kafka.tls}", options=kafka.options_of(user))
        with pytest.raises(LogUnavailable):
            await log.publish([Message(topic, "100000", b"{}", {})])
        await log.close()


async def test_who_watches_lag_reads_how_far_a_group_is(kafka: Kafka) -> None:
    log = KafkaEventLog(f"127.0.0.1:{kafka.tls}", options=kafka.options_of("lag"))

    assert await log.handled("risk", REGISTERS, 0) >= 0
    await log.close()
