"""Outage recovery: what was posted while no door of ours took it is fetched from the platform's callback log.

An outage is a row (:class:`robots.models.CallbackGap`), opened by the door (:mod:`robots.door.alive`), by silence, or
by a person. Due ones are looked into (:mod:`~robots.recovery.looking`): each row of the log is matched, one to one,
with a stored line (:mod:`~robots.recovery.matching`), and what has none is put into the ordinary inbox.
"""
