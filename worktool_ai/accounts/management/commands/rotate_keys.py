from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from worktool_ai.accounts import keys
from worktool_ai.lib.keyring import current_key_id, known_key_ids
from worktool_ai.lib.sealed_rows import columns
from worktool_ai.supervisor.layout import Credentials, new_encryption_key

ACTOR = "rotate_keys"
WIDTHS = "{:<44} {:>8} {:>8} {:>8} {:>10} {:>10}"


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret of every app with the key in front (the newest). Safe while the product runs; when"
        " interrupted, run it again. Exit code 1 when a secret remains that no key at hand opens."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
        parser.add_argument("--batch", type=int, default=keys.BATCH, help="rows in one transaction (%(default)s)")
        parser.add_argument(
            "--new-key",
            action="store_true",
            help="add a key, which encrypts from the next start on; rotate nothing",
        )
        parser.add_argument(
            "--drop-old-keys", action="store_true", help="afterwards forget the old keys that make run has generated"
        )

    def handle(self, *args: Any, dry_run: bool, batch: int, new_key: bool, drop_old_keys: bool, **options: Any) -> None:
        if new_key:
            self._add_key()
            return
        self._say_keys()
        if not dry_run:
            self._refuse_while_somebody_is_behind()
        tallies = [keys.tally(one) if dry_run else keys.rotate(one, ACTOR, max(1, batch)) for one in columns()]
        self._show(tallies)
        self._say_unneeded(tallies)
        if drop_old_keys and not dry_run:
            self._drop_old_keys(tallies)
        if unreadable := sum(tally.unreadable for tally in tallies):
            raise CommandError(f"{unreadable} secrets cannot be opened: see manage.py check_secrets")

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _add_key(self) -> None:
        found = _generated()
        if found is None:
            self.stdout.write("ENCRYPTION_KEYS is your own setting. A new key:")
            self.stdout.write(new_encryption_key())
            self.stdout.write("Put it at the END of ENCRYPTION_KEYS of every process and restart them; then move it to")
            self.stdout.write("the front and restart them again; then run manage.py rotate_keys.")
            return
        path, known = found
        known.with_new_encryption_key().store(path)
        self.stdout.write(f"A new key lies in {path}. Stop and start the product (make run): from then on it encrypts.")
        self.stdout.write("Then run manage.py rotate_keys. Back that file up: without it backups are useless.")

    def _drop_old_keys(self, tallies: list[keys.Tally]) -> None:
        found = _generated()
        if found is None:
            raise CommandError("ENCRYPTION_KEYS is your own setting: take the old keys out of it yourself")
        if set(keys.unneeded_keys(tallies)) != set(known_key_ids()[1:]):
            raise CommandError("an old key is still needed; nothing was forgotten")
        path, known = found
        known.without_old_encryption_keys().store(path)
        self.stdout.write(f"The old keys are gone from {path}; running processes forget them at their next start.")

    def _refuse_while_somebody_is_behind(self) -> None:
        try:
            behind = keys.behind()
        except redis.RedisError:
            self.stderr.write("Redis is away: whether every process knows the newest key cannot be told.")
            return
        if behind:
            raise CommandError(
                f"these processes do not know key {current_key_id()} and could not open what it encrypts; restart them"
                f" first: {', '.join(behind)}"
            )

    # -- telling -------------------------------------------------------------------------------------------------------

    def _say_keys(self) -> None:
        current, *old = known_key_ids()
        self.stdout.write(f"encrypts: key {current}; only decrypt: {', '.join(old) or 'none'}")

    def _show(self, tallies: list[keys.Tally]) -> None:
        self.stdout.write(WIDTHS.format("model and field", "secrets", "rotated", "to do", "meanwhile", "unreadable"))
        for one in tallies:
            numbers = (one.total, one.rotated, one.due, one.changed_meanwhile, one.unreadable)
            self.stdout.write(WIDTHS.format(one.column.name, *numbers))

    def _say_unneeded(self, tallies: list[keys.Tally]) -> None:
        for key_id in keys.unneeded_keys(tallies):
            self.stdout.write(
                f"Nothing stored is encrypted with key {key_id}. If it is an old one, it is no longer needed: keep it"
                " only as long as you keep backups made before now. If it is new, put it in front."
            )


def _generated() -> tuple[Path, Credentials] | None:
    """Return the file of generated keys and what is in it; None where ENCRYPTION_KEYS comes from elsewhere."""
    path = Path(settings.DATA_DIR) / "secrets"
    if not path.exists():
        return None
    known = Credentials.load(path)
    return (path, known) if known.encryption_key in settings.ENCRYPTION_KEYS else None
