"""Lists of units, bridge points and people that come in and go out as tables.

Each list has its columns, its checks, a plan and the act that carries the plan out. A plan is made
without writing anything: what would be new, what would change and how, and every cell that keeps the
whole list from being taken. What was looked at and what is carried out are compared by their digests.
"""

from rooms.lists.plan import Difference, Entry, ListNotSound, Plan, PlanChanged

__all__ = ["Difference", "Entry", "ListNotSound", "Plan", "PlanChanged"]
