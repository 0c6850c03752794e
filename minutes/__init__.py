"""What was said and decided, and who has to know: minutes, tasks, directive documents, their files.

Minutes: `meeting_minutes` (tables, rights) ← `content` and `meeting_facts` ← `drafting` → `signing`
→ `tasks`. Documents: `directives` (tables, states) ← `issuing` and `redrafting` with a number of
`registers` → `circulation` → `receipts`, shown by `desks` and `progress`. `storage` and `file_kinds`
keep files by hash, `papers` are those of a meeting, `forms` draws all of them on paper.

Knows `rooms`, but neither the web nor a clock: every verb takes the session, the actor and the time.
"""
