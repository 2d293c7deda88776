"""The rows of ``make accept``: a module each, found by folder.

The first line of its docstring says what it shows; ``check(say)`` raises ``AssertionError`` where that does not hold.
"""
