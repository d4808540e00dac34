"""Endpoints: whose they are, where they may be, and their secrets."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from libs.common.service import cursor_of
from libs.common.settings import ServiceSettings
from services.notify.secrets import KEY_FILE, Vault
from tests.conftest import until
from tests.service.notify_app import PRACTITIONER, CaseSystem, House, bell, running

PUBLIC = "https://cases.example.org/firstbell"
PRIVATE = [
    "http://127.0.0.1/",
    "https://127.0.0.1:8443/hook",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.0.0.8/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[2002:7f00:1::]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[ff02::1]/",
    "http://localhost/",
    "http://LOCALHOST:8000/",
    "http://localhost./",
    "http://db.localhost/",
    "http://ⓛocalhost/",
    "http://①27.0.0.1/",
]
ODD = [
    "ftp://cases.example.org/",
    "file:///etc/passwd",
    "gopher://cases.example.org/",
    "//cases.example.org/",
    "cases.example.org",
    "",
    "http://",
    "http:///path",
    "https://user@cases.example.org/",
    "https://user:word@cases.example.org/",
    "https://:word@cases.example.org/",
    "https://@cases.example.org/",
    "https://cases.example.org\\@127.0.0.1/",
    "https://cases.example.org:0/",
    "https://cases.example.org:99999/",
    "https://cases.example.org:x/",
    "https://cases.example.org/\nhost",
    "https://cases.example.org/ a",
    "https://cases.example.org/\x00",
    " https://cases.example.org/",
    "http://[::1",
    "http://[nonsense]/",
    "http://[fe80::1%25eth0/",
]


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


@pytest.fixture
async def guarded(settings: ServiceSettings) -> AsyncIterator[House]:
    closed = settings.model_copy(update={"allow_private_endpoints": False})
    async with running(closed) as house:
        await house.settle()
        yield house


async def test_private_addresses_are_refused(guarded: House) -> None:
    taken = []
    for url in PRIVATE:
        body = {"practitioner": "sam", "url": url}
        answer = await guarded.client.post("/v1/endpoints", json=body, headers=guarded.bearer())
        if answer.status_code != 422 or answer.json()["errors"][0]["at"] != ["body", "url"]:
            taken.append((url, answer.status_code))

    assert taken == []


@pytest.mark.parametrize("private_too", [True, False])
async def test_what_is_no_address_of_a_webhook_is_refused(
    settings: ServiceSettings, private_too: bool
) -> None:
    taken = []
    update = {"allow_private_endpoints": private_too}
    async with running(settings.model_copy(update=update)) as house:
        await house.settle()
        for url in ODD:
            body = {"practitioner": "sam", "url": url}
            answer = await house.client.post("/v1/endpoints", json=body, headers=house.bearer())
            if answer.status_code != 422:
                taken.append((url, answer.status_code))

    assert taken == []


async def test_a_public_address_is_taken(guarded: House) -> None:
    made = await guarded.endpoint("https://93.184.215.14/firstbell")

    assert set(made) >= {"id", "secret"}
    assert await guarded.endpoint(PUBLIC)


async def test_private_addresses_are_taken_where_a_setting_allows_them(house: House) -> None:
    for url in ("http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost:9/"):
        assert await house.endpoint(url)


async def test_the_guard_at_the_connection_refuses_what_was_let_in_or_now_points_inside(
    guarded: House,
) -> None:
    with CaseSystem() as system:
        port = system.url().partition("127.0.0.1")[2]
        hosts = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433")
        for host in hosts:
            made = await guarded.endpoint(PUBLIC)
            statement = "UPDATE endpoint SET url = :url WHERE id = :id"
            id = UUID(made["id"]).hex
            await guarded.execute(statement, url=f"http://{host}{port}", id=id)
        await guarded.tell(bell())
        endpoints = (await guarded.get("/v1/endpoints"))["items"]

        async def all_tried() -> bool:
            found = [await guarded.deliveries(endpoint) for endpoint in endpoints]
            return all(one and one[0]["attempts"] for one in found)

        await until(all_tried)
        outcomes = [(await guarded.deliveries(e))[0]["last_outcome"] for e in endpoints]

    assert system.got == []
    assert len(outcomes) == len(hosts)
    assert set(outcomes) <= {"not a public address", "not an address"}


def bytes_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.is_file()]


async def test_a_secret_is_shown_once_and_lies_in_no_file(house: House, tmp_path: Path) -> None:
    made = await house.endpoint(PUBLIC)
    rotated = await house.client.post(
        f"/v1/endpoints/{made['id']}/rotate-secret", headers=house.bearer()
    )

    listed = await house.client.get("/v1/endpoints", headers=house.bearer())

    held = b"".join(bytes_of(tmp_path))
    for secret in (made["secret"], rotated.json()["secret"]):
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        assert len(raw) == 32
        assert secret not in listed.text
        assert secret.removeprefix("whsec_").encode() not in held
        assert raw not in held
    assert made["id"].replace("-", "").encode() in held  # it did look at the right file
    assert listed.json()["items"][0]["secret"] is None


def test_the_key_of_the_secrets_is_its_owners_alone(tmp_path: Path) -> None:
    settings = ServiceSettings(database_url="sqlite://", data_dir=tmp_path)
    sealed = Vault(settings).seal("whsec_x")

    assert Vault(settings).open(sealed) == "whsec_x"
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


async def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(house: House) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        path = f"/v1/endpoints/{made['id']}"
        rotated = (await house.client.post(f"{path}/rotate-secret", headers=house.bearer())).json()
        await house.tell(bell())
        during = (await system.has(1))[0]
        await house.execute("UPDATE endpoint SET old_secret_until = datetime('now', '-1 seconds')")
        await house.tell(bell(number=2))
        after = (await system.has(2))[1]

    old, new = Webhook(made["secret"]), Webhook(rotated["secret"])
    assert rotated["id"] == made["id"]
    assert len(during.headers["webhook-signature"].split()) == 2
    for one in (old, new):
        one.verify(during.body, during.headers)
    new.verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        old.verify(after.body, after.headers)


@pytest.mark.parametrize(
    "body",
    [
        {"url": PUBLIC},
        {"url": PUBLIC, "practitioner": "sam", "agency": "care"},
        {"url": PUBLIC, "practitioner": "nobody"},
        {"url": PUBLIC, "agency": "sam"},
        {"url": PUBLIC, "practitioner": "sam\x00"},
        {"url": PUBLIC, "practitioner": "sam", "more": 1},
        {"practitioner": "sam"},
    ],
)
async def test_an_endpoint_belongs_to_one_who_is_known(house: House, body: dict[str, str]) -> None:
    answer = await house.client.post("/v1/endpoints", json=body, headers=house.bearer())

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_nobody_adds_an_endpoint_for_another(house: House) -> None:
    for body in ({"practitioner": "sam"}, {"agency": "care"}):
        answer = await house.client.post(
            "/v1/endpoints", json={**body, "url": PUBLIC}, headers=house.of("eve")
        )
        assert answer.status_code == 403


async def test_anothers_endpoint_is_not_found_exactly_as_one_that_does_not_exist(
    house: House,
) -> None:
    with CaseSystem() as system:
        made = await house.endpoint(system.url())
        await house.tell(bell())
        await system.has(1)
        (delivery,) = await house.deliveries(made)

    for method, path, id in (
        ("POST", "endpoints/{}/rotate-secret", made["id"]),
        ("POST", "endpoints/{}/test", made["id"]),
        ("GET", "endpoints/{}/deliveries", made["id"]),
        ("POST", "endpoints/{}/challenge", made["id"]),
        ("POST", "endpoints/{}/pause", made["id"]),
        ("GET", "deliveries/{}", delivery["id"]),
        ("POST", "deliveries/{}/replay", delivery["id"]),
    ):
        theirs, nobodys = [
            await house.client.request(method, f"/v1/{path.format(one)}", headers=house.of("eve"))
            for one in (id, uuid4())
        ]
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json() == nobodys.json(), path
    assert len(await house.deliveries(made)) == 1


async def test_each_lists_their_own_endpoints(house: House) -> None:
    sams = await house.endpoint(PUBLIC)
    cares = await house.endpoint(PUBLIC, agency="care")
    await house.endpoint(PUBLIC, practitioner="sue")

    sam = await house.get("/v1/endpoints", scope=PRACTITIONER, practitioner="sam")
    care = await house.get("/v1/endpoints", scope=PRACTITIONER, agency="care")
    nobody = await house.get("/v1/endpoints", scope=PRACTITIONER)

    assert [one["id"] for one in sam["items"]] == [sams["id"]]
    assert [one["id"] for one in care["items"]] == [cares["id"]]
    assert nobody["items"] == []


async def test_endpoints_are_paged(house: House) -> None:
    made = {(await house.endpoint(f"{PUBLIC}/{n}"))["id"] for n in range(5)}

    pages = [await house.get("/v1/endpoints?limit=2")]
    while pages[-1]["next"]:
        pages.append(await house.get(f"/v1/endpoints?limit=2&cursor={pages[-1]['next']}"))

    listed = [item["id"] for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert sorted(listed) == sorted(made)


@pytest.mark.parametrize("cursor", ["nonsense", cursor_of(10**30), cursor_of("a")])
async def test_a_cursor_that_is_none_of_ours_is_refused(house: House, cursor: str) -> None:
    made = await house.endpoint(PUBLIC)

    for path in (f"/v1/endpoints/{made['id']}/deliveries", "/v1/endpoints", "/v1/disclosures"):
        answer = await house.client.get(f"{path}?cursor={cursor}", headers=house.bearer())
        assert answer.status_code == 422, path
