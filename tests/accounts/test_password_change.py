"""A password that somebody else has set is changed before anything else."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.monitoring.builders import person
from worktool_ai.accounts import api_keys
from worktool_ai.accounts.models import ApiKey, Role, User

pytestmark = pytest.mark.django_db

FORM = "/admin/password_change/"
OWN = "Etwas-Eigenes-2026"


@pytest.fixture
def newcomer() -> User:
    return person(username="newcomer", password="given", must_change_password=True)


@pytest.fixture
def client(newcomer: User) -> Client:
    client = Client()
    assert client.login(username="newcomer", password="given")
    return client


@pytest.mark.parametrize("page", ["/admin/", "/admin/robots/robot/", "/"])
def test_every_page_leads_to_the_form(client: Client, page: str) -> None:
    answer = client.get(page)
    assert (answer.status_code, answer.headers["Location"]) == (302, FORM)


def test_the_api_refuses_and_names_the_way_out(client: Client) -> None:
    answer = client.get("/api/v1/me/")
    assert answer.status_code == 403
    body = answer.json()
    assert body["code"] == 403
    assert FORM in body["details"][0]["way_out"]


def test_once_changed_everything_is_open(client: Client, newcomer: User) -> None:
    assert client.get(FORM).status_code == 200
    done = client.post(FORM, {"old_password": "given", "new_password1": OWN, "new_password2": OWN})
    assert done.status_code == 302
    newcomer.refresh_from_db()
    assert newcomer.check_password(OWN)
    assert not newcomer.must_change_password
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/v1/me/").status_code == 200


def test_leaving_and_the_language_switch_stay_open(client: Client) -> None:
    switched = client.post("/language/setlang/", {"language": "en", "next": FORM})
    assert switched.headers["Location"] == FORM
    assert client.post("/admin/logout/").status_code == 200


def test_a_key_needs_no_password(newcomer: User) -> None:
    key = api_keys.issue(ApiKey(name="k", role=Role.OPERATOR), newcomer)
    assert Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_what_an_owner_sets_for_somebody_else_must_be_changed() -> None:
    owner, other = person(Role.OWNER, username="boss"), person(username="other")
    client = Client()
    client.force_login(owner)
    for target, expected in ((other, True), (owner, False)):
        form = {"password1": OWN, "password2": OWN, "usable_password": "true"}
        assert client.post(f"/admin/accounts/user/{target.pk}/password/", form).status_code == 302
        target.refresh_from_db()
        assert target.check_password(OWN)
        assert target.must_change_password is expected
