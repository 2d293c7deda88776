"""What the admin's theme says and ships without Chinese; named here so that our catalogue translates it."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

__all__ = ["TEXTS"]

TEXTS = (
    _("Select record"),
    _("Select action"),
    _("Select action to run"),
    _("Select value"),
    _("Select all rows"),
    _("To"),
    _("Date from"),
    _("Date to"),
    _("Date"),
    _("Not enough data."),
    _("Add new item"),
    _("Add row"),
    _(
        "Raw passwords are not stored, so there is no way to see this user’s password, but you can change the "
        'password using <a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    _("After you've created a user, you’ll be able to edit more user options."),
    _("Expand row"),
    _("Welcome back to"),
    _("Welcome"),
    _("Type to search"),
    _("You have been successfully logged out from the administration"),
    _("No data"),
    _("More actions"),
    _("All applications"),
    _("True"),
    _("False"),
    _("Apply Filters"),
    _("Recent searches"),
    _("No recent searches"),
    _("No results matching your query"),
    _("Loading more results..."),
    _("Cancel"),
    _("Submit"),
    _("This item will be deleted."),
    _("Click to cancel"),
    _("No results found"),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("Reset filters"),
    _("Image preview"),
    _("Click to download"),
    _("Go back"),
    _("Previous"),
    _("Next"),
    _("Search apps and models..."),
    _("General"),
    _("Light"),
    _("Dark"),
    _("Return to site"),
    _("Choose file to upload"),
    _("Toggle password visibility"),
)
