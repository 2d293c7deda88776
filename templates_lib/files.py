"""Pictures and files that we send: stored once by content, reached from outside by a signed address that expires."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner

from templates_lib.file_kinds import MAX_BYTES, StoredFile, stored_file
from templates_lib.models import Attachment
from worktool_ai.lib.clock import now

__all__ = ["Upload", "examine", "path_of", "signed_attachment", "store", "url_of"]

SALT: Final = "templates_lib.files"


class Upload:
    """An upload that may be sent, with its content; :func:`store` keeps it."""

    def __init__(self, file: StoredFile, content: bytes) -> None:
        self.file = file
        self.content = content


def examine(uploaded: UploadedFile[Any]) -> Upload:
    """Judge an upload by its content; raises ``FileRefusedError``."""
    content = uploaded.read(MAX_BYTES + 1)  # a byte more than allowed is enough to refuse it
    return Upload(stored_file(uploaded.name or "", content), content)


def store(upload: Upload) -> Attachment:
    """Keep the content, once however often it is uploaded, in the caller's transaction."""
    values = {"content_type": upload.file.content_type, "size": len(upload.content), "content": upload.content}
    row, created = Attachment.objects.get_or_create(digest=upload.file.digest, defaults={**values, "stored_at": now()})
    if not created:
        Attachment.objects.filter(pk=row.pk).update(stored_at=now())  # its time of keeping begins anew
    return row


def path_of(file: StoredFile) -> str:
    """Return a path under which anybody may read this file, and nothing else, for ``FILE_URL_S`` seconds."""
    name = file.object_name
    return f"/files/{_signer(name).sign(file.digest)}/{quote(name)}"


def url_of(file: StoredFile) -> str:
    """Return the public address, as the platform's phones are given it."""
    return f"{settings.PUBLIC_URL}{path_of(file)}"


def signed_attachment(token: str, name: str) -> Attachment | None:
    """Return what a path of :func:`path_of` leads to; None when it was changed, has expired or the file is gone."""
    try:
        digest = _signer(name).unsign(token, max_age=settings.FILE_URL_S)
    except (BadSignature, SignatureExpired):
        return None
    return Attachment.objects.filter(pk=digest).first()


def _signer(name: str) -> TimestampSigner:
    # the name is part of the salt: an address works under the name that it was made with, and no other
    return TimestampSigner(salt=f"{SALT}/{name}", sep=".")
