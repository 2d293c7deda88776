"""Figures in Chinese text, in a normal form: 一百元, 100块 and ￥１００ are the same amount. Pure.

Used to tell whether an answer names an amount, a date or an address that nobody gave it, and to keep such figures
when older lines are summarised.
"""

from personas.figures.finding import Figure, Kind, find_figures
from personas.figures.numerals import normal_text

__all__ = ["Figure", "Kind", "find_figures", "normal_text"]
