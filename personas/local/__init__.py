"""The local model: intents and topics by editable rules, answers chosen among templates.

Pure Python without ORM, network or clock, so that it answers on a fresh machine and at the end of every
fallback chain, and gives the same answer when a run is replayed.
"""
