"""Who is told, when, and how, about points that say nothing before a meeting and at its start.

`rules` holds the steps for each kind of meeting, as administrators have set them; `steps` carries out what
is due; `settling` notes what has been done since; `missing` is the list of the chair: who is not there, whom
to ring, and who came late.
"""
