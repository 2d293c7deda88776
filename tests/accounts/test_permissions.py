"""Roles, scopes and the rule that an address which states nothing is closed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib import admin
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from robots.models import Robot
from tests.monitoring import builders
from worktool_ai.accounts import checks
from worktool_ai.accounts.models import Role, ScopeKind, User
from worktool_ai.accounts.permissions import ABILITIES, ROWS, Ability, DenyByDefault, may
from worktool_ai.accounts.scopes import Scope, scope_of


def test_every_address_states_who_may_call_it():
    assert checks.every_address_states_its_permission() == []


def test_an_address_that_states_nothing_is_named_and_refused(monkeypatch):
    class Forgetful(APIView):
        def get(self, request):
            raise AssertionError("reached")

    view = Forgetful.as_view()
    monkeypatch.setattr(checks, "addresses", lambda: [("api/v1/forgotten/", "api:forgotten", view)])
    assert "/api/v1/forgotten/" in checks.every_address_states_its_permission()[0].msg

    request = APIRequestFactory().get("/")
    owner = User(role=Role.OWNER)
    request.user = owner
    assert not DenyByDefault().has_permission(SimpleNamespace(method="GET", user=owner), Forgetful())


def test_every_role_has_a_row_in_the_table():
    assert set(ABILITIES) == set(Role)
    assert ABILITIES[Role.OWNER] == set(Ability)
    assert Ability.READ_CONTACTS not in ABILITIES[Role.VIEWER]
    assert Ability.EXPORT not in ABILITIES[Role.VIEWER]


def test_every_model_of_the_admin_has_a_line_in_the_table_and_no_line_is_stale():
    labels = {model._meta.label_lower for model in apps.get_models()}
    stale = [key for key in ROWS if not key.endswith(".*") and key not in labels]
    inlines = [inline.model for page in admin.site._registry.values() for inline in page.inlines]
    ours = [model for model in [*admin.site._registry, *inlines] if not model.__module__.startswith("django.")]
    closed = [
        model._meta.label_lower
        for model in ours
        if model._meta.label_lower not in ROWS and f"{model._meta.app_label}.*" not in ROWS
    ]
    assert (stale, closed) == ([], [])


@pytest.mark.django_db
def test_django_asks_the_role_table():
    owner, operator, viewer = (builders.person(role) for role in (Role.OWNER, Role.OPERATOR, Role.VIEWER))
    assert owner.has_perm("accounts.change_user")
    assert not owner.has_perm("accounts.delete_auditentry"), "facts are closed to the owner too"
    assert not operator.has_perm("accounts.view_user")
    assert operator.has_perm("templates_lib.change_messagetemplate")
    assert viewer.has_perm("templates_lib.view_messagetemplate")
    assert not viewer.has_perm("robots.view_message")
    assert not viewer.has_module_perms("flows") or viewer.has_perm("flows.view_flow")
    assert "accounts.add_user" in owner.get_all_permissions()
    operator.is_active = False
    assert not operator.has_perm("templates_lib.change_messagetemplate")
    assert not may(operator, Ability.READ_LINES)


def test_a_scope_names_robots_or_groups():
    everywhere = Scope(ScopeKind.ALL, frozenset())
    robots = Scope(ScopeKind.ROBOTS, frozenset({"a"}))
    groups = Scope(ScopeKind.GROUPS, frozenset({"sales"}))

    assert everywhere.allows("x")
    assert everywhere.allows("", "")
    assert robots.allows("a", "support")
    assert not robots.allows("b", "a")
    assert groups.allows("b", "sales")
    assert not groups.allows("sales", "")
    assert not robots.allows("", ""), "what belongs to no robot is for those who see all"


@pytest.mark.django_db
def test_a_scope_narrows_rows():
    builders.robot("a", group="sales")
    builders.robot("b")

    def slugs(**scope):
        viewer = User(role=Role.VIEWER, **scope)
        return sorted(robot.slug for robot in scope_of(viewer).filter(Robot.objects.all(), ""))

    assert slugs() == ["a", "b"]
    assert slugs(scope_kind=ScopeKind.GROUPS, scope_values=["sales"]) == ["a"]
    assert slugs(scope_kind=ScopeKind.ROBOTS, scope_values=["b"]) == ["b"]
    assert slugs(scope_kind=ScopeKind.ROBOTS) == []
