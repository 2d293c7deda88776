"""How long files are kept that no template sends any more."""

from __future__ import annotations

from templates_lib.models import Attachment, MessageTemplate, TemplateCategory
from worktool_ai.lib import retention

# what a template refers to is protected by its foreign key
retention.keep(Attachment, column="stored_at")
retention.never(retention.SETTING, MessageTemplate, TemplateCategory)
