"""A language model stand-in that speaks the OpenAI wire format, for tests, load and failure runs.

It answers deterministic text, counts what it was asked, and is slow or faulty on demand: per request by a
marker in the customer's words (``[[sleep=2]]``, ``[[reply.status=500]]``) or in the model name
(``stub?sleep=2``), and for all that follow through ``PUT /stub/faults``. It is no part of the product's
answers: it listens on the loopback interface only and refuses production settings.
"""
