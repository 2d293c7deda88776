"""Having a customer's picture looked at. Its bytes are loaded here, by reference, and go to the model alone."""

from __future__ import annotations

import base64
from typing import Any, get_args

from flows.content import PictureProblem
from flows.nodes import AskModel
from personas.providers import MAX_IMAGE_CHARS, Image, MediaType
from personas.service import AIService
from personas.types import PictureOptions
from robots.models import Media
from worktool_ai.lib.db import borrowed

__all__ = ["look_at"]

MAX_BYTES = MAX_IMAGE_CHARS * 3 // 4 - 3
#: Characters of a description that are kept; a model is asked for a fifth of it.
MAX_CHARS = 1000


def look_at(service: AIService, effect: AskModel) -> dict[str, Any]:
    """Return the effect's outcome: ``text``, or ``problem``; nothing where the file is no picture (a long text)."""
    options = PictureOptions(effect.persona_id, effect.persona_type, deadline_s=effect.timeout_s)
    if not service.sees(options):
        return _not_seen("no_model")
    with borrowed():
        image = _image(effect.picture or "")
    if not isinstance(image, Image):
        return image
    seen = service.describe_picture(image, options)
    if seen is None:
        return _not_seen("failed")
    return {"text": seen.text[:MAX_CHARS], "source": seen.provider, "model": seen.model}


def _image(reference: str) -> Image | dict[str, Any]:
    """Read a stored file as models take it; its bytes only where they can be of use."""
    media = Media.objects.defer("content").filter(pk=reference.removeprefix("media:")).first()
    if media is None:
        return _not_seen("not_delivered")
    if media.content_type.startswith("text/"):
        return {}
    if media.content_type not in get_args(MediaType):
        return _not_seen("type")
    if media.size > MAX_BYTES:
        return _not_seen("too_large")
    return Image(media.content_type, base64.b64encode(media.content).decode())  # type: ignore[arg-type]  # checked above


def _not_seen(problem: PictureProblem) -> dict[str, Any]:
    return {"problem": problem}
