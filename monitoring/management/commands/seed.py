from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from alerts import seeds as alerts
from flows import seeds as flows
from personas import seeds as personas
from robots import seeds as robots
from templates_lib import seeds as templates

#: Lower apps first: what is planted above refers to what was planted below.
SEEDS = (
    ("reply templates", templates.seed),
    ("personas and intents", personas.seed),
    ("robots", robots.seed),
    ("alert rules", alerts.seed),
    ("flows", flows.seed),
)


class Command(BaseCommand):
    help = "Plant the preset rows. Safe to repeat: a row that was edited or deleted is never planted again."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        for name, plant in SEEDS:
            planted = plant()
            self.stdout.write(f"{name}: {planted} planted" if planted else f"{name}: nothing new")
