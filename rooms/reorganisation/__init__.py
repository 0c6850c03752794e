"""A reorganisation: units merge, split, move, are renamed and abolished by law, on a day.

A plan is previewed, applied in one transaction, also for a day in the future, and may be taken back
as long as that day has not come.
"""
