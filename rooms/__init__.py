"""Who meets where and when: the tree of units, bridge points, meetings, attendance.

The way of the data: `hierarchy` (dated units and their ancestry) carries `people` (who holds which
role at which unit) and `bridge_points`. `audience` turns rules over the tree into bridge points,
`meetings` keeps them as participations, `booking` holds the points' time, `attendance` is the log
of the day. `scheduling` and `replies` are the verbs of a meeting, `check_ins` and `rollup` those of
its day. `policies` says who may do what, as one SQL expression for lists and single checks.

This package knows neither the web nor a clock: every function takes the session, the actor and the
time it is now.
"""
