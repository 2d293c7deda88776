"""What calls to models cost, and how much of it is allowed.

Rows of calls are the truth; Redis holds the counters that all processes ask before a call
(:mod:`personas.budgets.keeper`). Local calls cost nothing and are counted nowhere.
"""
