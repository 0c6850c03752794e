"""Telling people something, once: in the page, by mail, and on their devices by web push.

`tell()` writes in the caller's commit who is told what (`notices`, `telling`); whom a rule means by
"the people of a point" says `addressed`. Devices that people have allowed are kept by `devices`, the
server's own key by `vapid`; `sending` brings what waits in the outbox to the push services.
"""
