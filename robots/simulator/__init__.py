"""The WorkTool platform and a phone with WeCom, played over HTTP.

Real paths, methods and field spellings of the platform (quoted with their source in the contract fixtures
of ``tests/contract``), a phone that executes one command at a time, rooms and people in a small chat page,
and a control interface under ``/sim`` with dialects and faults. It knows nothing of our database: its
ledger judges us.

Modules: ``records`` (what is remembered), ``world`` (robots and all state), ``platform`` and ``queries``
(the platform's endpoints), ``phone`` and ``commands`` (what a phone does), ``callbacks`` and ``payloads``
(what the platform posts to us), ``faults`` and ``fault_kinds``, ``control`` (``/sim``), ``page`` (the chat
page), ``app``, ``server``.
"""
