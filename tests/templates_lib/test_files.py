"""What may be sent, told by content; and the signed addresses under which phones fetch it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from robots.models import Media
from templates_lib import caches, files
from templates_lib.file_kinds import MAX_BYTES, FileRefusedError, StoredFile, stored_file
from templates_lib.models import Attachment, MessageTemplate
from tests.templates_lib import samples
from tests.templates_lib.samples import archive, ole
from tests.templates_lib.test_admin import errors, operator, save
from worktool_ai.lib import clock, retention

__all__ = ["operator"]


@pytest.mark.parametrize(
    ("name", "content", "shown", "file_type", "line_type"),
    [
        ("价目表.png", samples.PNG, "价目表.png", "image", 2),
        ("照片.JPEG", samples.JPEG, "照片.jpg", "image", 2),
        ("真相.png", samples.JPEG, "真相.jpg", "image", 2),
        ("动图.gif", samples.GIF, "动图.gif", "image", 2),
        ("教程.mp4", samples.MP4, "教程.mp4", "video", 5),
        ("语音.mp3", samples.MP3, "语音.mp3", "audio", 3),
        ("语音", samples.BARE_MP3, "语音.mp3", "audio", 3),
        ("手册v1.2.pdf", samples.PDF, "手册v1.2.pdf", "*", 9),
        ("旧.doc", ole("WordDocument"), "旧.doc", "*", 9),
        ("旧.xls", ole("Workbook"), "旧.xls", "*", 9),
        ("旧.ppt", ole("PowerPoint Document"), "旧.ppt", "*", 9),
        ("新.docx", archive("[Content_Types].xml", "word/document.xml"), "新.docx", "*", 9),
        ("新.zip", archive("[Content_Types].xml", "xl/workbook.xml"), "新.xlsx", "*", 9),
        ("新.pptx", archive("ppt/presentation.xml"), "新.pptx", "*", 9),
        ("资料.zip", archive("a.txt"), "资料.zip", "*", 9),
        ("../../etc/a:b\u202egnp.exe", samples.PNG, "a_b_gnp.exe.png", "image", 2),
        ("C:\\图\\" + "长" * 200 + ".png", samples.PNG, "长" * 60 + ".png", "image", 2),
        ("???.png", samples.PNG, "file.png", "image", 2),
    ],
)
def test_the_content_decides(name: str, content: bytes, shown: str, file_type: str, line_type: int) -> None:
    file = stored_file(name, content)
    assert (file.name, file.kind.file_type, file.kind.line_type) == (shown, file_type, line_type)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (samples.PNG + bytes(MAX_BYTES), "10 MB"),
        (samples.WEBP, "PNG or JPEG"),
        (samples.MOV, "no kind"),
        (samples.HEIC, "no kind"),
        (samples.HTML, "no kind"),
        (samples.SVG, "no kind"),
        (samples.EXE, "no kind"),
        (ole("__substg1.0_001A001F"), "no kind"),
        (archive("word/document.xml", "word/vbaProject.bin"), "macros"),
        (b"PK\x03\x04 and then nothing", "no kind"),
        (b"\xff\xfe" + "文本".encode("utf-16-le"), "no kind"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_way_out(content: bytes, told: str) -> None:
    with pytest.raises(FileRefusedError) as refused:
        stored_file("图.png", content)
    assert told in f"{refused.value.problem} {refused.value.way_out}"
    assert refused.value.way_out


def test_names_at_the_platform_are_unique_for_a_content_and_keep_their_ending() -> None:
    one, other = stored_file("图.png", samples.PNG), stored_file("图.png", samples.PNG + b"\0")
    assert one.object_name != other.object_name
    assert one.object_name.startswith("图_")
    assert one.object_name.endswith(".png")
    assert stored_file("图.png", samples.PNG).object_name == one.object_name


# -- addresses ---------------------------------------------------------------------------------------------------------


def stored(name: str = "价目表.png", content: bytes = samples.PNG) -> StoredFile:
    upload = files.Upload(stored_file(name, content), content)
    files.store(upload)
    return upload.file


@pytest.mark.django_db
def test_anybody_reads_a_file_by_its_signed_address_and_only_so(client: Client, settings: Any) -> None:
    settings.PUBLIC_URL = "https://wt.example.com"
    file = stored()
    path = files.path_of(file)
    assert files.url_of(file) == f"https://wt.example.com{path}"
    assert path.isascii()

    answer = client.get(path)

    assert (answer.status_code, answer.content) == (200, samples.PNG)
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert file.object_name in unquote(answer["Content-Disposition"])
    assert "sandbox" in answer["Content-Security-Policy"]
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_changed_expired_and_foreign_addresses_lead_nowhere(client: Client, settings: Any) -> None:
    file, other = stored(), stored("别的.pdf", samples.PDF)
    private = Media.objects.create(digest="f" * 64, content_type="image/png", size=1, content=b"x")
    path, other_path = files.path_of(file), files.path_of(other)
    token, name = path.split("/")[2:]
    wrong = [
        "/files/",
        f"/files/{token}/",
        f"/files/{token}/x.png",
        f"/files/{token[:-1]}/{name}",
        f"/files/{file.digest}/{name}",
        f"/files/{token}/{other_path.split('/')[3]}",
        f"/files/{token.replace(file.digest, other.digest)}/{name}",
        files.path_of(StoredFile(private.digest, "客户.png", "image/png")),  # even signed: not among what we send
    ]
    assert [client.get(address).status_code for address in wrong] == [404] * len(wrong)
    settings.FILE_URL_S = -1
    answer = client.get(path)
    assert answer.status_code == 404
    assert samples.PNG not in answer.content


@pytest.mark.django_db
def test_a_content_is_stored_once_and_kept_while_a_template_sends_it() -> None:
    stored("一.png")
    stored("二.png")
    file = stored("手册.pdf", samples.PDF)
    assert Attachment.objects.count() == 2
    Attachment.objects.update(stored_at=clock.now() - timedelta(days=400))
    MessageTemplate.objects.create(
        slug="t", category=_category(), name="t", attachment_id=file.digest, attachment_name=file.name
    )
    retention.sweep()
    assert [row.digest for row in Attachment.objects.all()] == [file.digest]


def _category() -> Any:
    return MessageTemplate._meta.get_field("category").related_model.objects.get_or_create(name="通用回复")[0]


# -- in a template -----------------------------------------------------------------------------------------------------


def upload(content: bytes = samples.PNG, name: str = "价目表.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "application/octet-stream")


def change(client: Client, row: MessageTemplate, **fields: Any) -> Any:
    values = {"slug": row.slug, "category": row.category_id, "name": row.name, "body": row.body, "is_active": "on"}
    page = reverse("admin:templates_lib_messagetemplate_change", args=[row.pk])
    return client.post(page, {**values, **fields})


@pytest.mark.django_db
def test_a_picture_is_added_shown_kept_and_removed(operator: Client) -> None:
    response = save(operator, file=upload())
    assert response.status_code == 302, errors(response)
    row = MessageTemplate.objects.get(slug="mine")
    assert row.file is not None
    assert row.file.name == "价目表.png"
    page = operator.get(reverse("admin:templates_lib_messagetemplate_change", args=[row.pk])).content.decode()
    assert f'<img src="{files.path_of(row.file)}"' in page
    assert "价目表.png" in page
    assert next(t for t in caches.templates() if t.slug == "mine").file == row.file

    assert change(operator, row, name="改名").status_code == 302
    assert MessageTemplate.objects.exclude(attachment=None).get().name == "改名"
    assert change(operator, row, **{"file-clear": "on"}).status_code == 302
    row.refresh_from_db()
    assert (row.attachment, row.attachment_name) == (None, "")


@pytest.mark.django_db
def test_a_template_may_be_a_file_alone_but_not_nothing(operator: Client) -> None:
    assert "body" in errors(save(operator, body=""))
    assert save(operator, body="", file=upload(samples.PDF, "手册.pdf")).status_code == 302
    row = MessageTemplate.objects.get(slug="mine")
    assert (row.body, row.attachment_name) == ("", "手册.pdf")
    assert "body" in errors(change(operator, row, **{"file-clear": "on"}))


@pytest.mark.django_db
def test_what_cannot_be_sent_is_refused_at_the_form(operator: Client) -> None:
    response = save(operator, file=upload(samples.WEBP))
    assert "WebP" in str(errors(response)["file"])
    assert not Attachment.objects.exists()
