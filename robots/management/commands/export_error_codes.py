from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from robots.error_codes import NEVER_REPEATED, TABLE, ErrorCode

PUBLISHED = Path("docs/错误码.md")

_HEAD = """# 平台错误码

本表由 `manage.py export_error_codes` 按代码生成，测试会核对。
管理后台「指令 → 错误码」与 `GET /api/v1/error-codes/` 是同一张表。

* 任何错误码都不会触发自动重发。「可再发」只是说：人工再发一次是合理的。
* 类型 {never} 的指令一律不重发：再执行一次就是再做一件事。
* 失败名单（failList）非空即为「部分成功」，即使错误码是 0。
* 表中没有的错误码一律按失败处理。

| 错误码 | 含义 | 视为已完成 | 可再发 | 告诉运营的话 |
| --- | --- | --- | --- | --- |
"""


class Command(BaseCommand):
    help = "Write what the platform's error codes mean to docs/错误码.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is out of date")
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR / PUBLISHED, help=f"default {PUBLISHED}")

    def handle(self, *args: Any, check: bool, file: Path, **options: Any) -> None:
        wanted = published()
        if not check:
            file.write_text(wanted, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != wanted:
            raise CommandError(f"{file} is out of date: run `manage.py export_error_codes`")


def published() -> str:
    """Return the document, in Chinese."""
    with translation.override("zh-hans"):
        never = "、".join(str(kind) for kind in sorted(NEVER_REPEATED))
        return _HEAD.format(never=never) + "".join(_row(code) for code in TABLE.values())


def _row(code: ErrorCode) -> str:
    done, again = ("是" if flag else "否" for flag in (code.counts_as_done, code.retry))
    return f"| {code.code} | {code.meaning} | {done} | {again} | {code.advice or '—'} |\n"
