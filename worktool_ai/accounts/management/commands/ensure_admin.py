from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from worktool_ai.accounts.models import Role, User
from worktool_ai.accounts.services import ensure_owner


class Command(BaseCommand):
    help = "Create the first login from ADMIN_USER and ADMIN_PASSWORD; one that exists is left as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        username, password = settings.ADMIN_USER, settings.ADMIN_PASSWORD
        if not password:
            if not User.objects.filter(role=Role.OWNER, is_active=True).exists():
                raise CommandError("nobody can sign in yet: set ADMIN_USER and ADMIN_PASSWORD and run this again")
            return
        created = ensure_owner(username, password)
        self.stdout.write(f"first login: {username} " + ("created" if created else "is there"))
