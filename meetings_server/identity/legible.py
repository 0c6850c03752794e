"""Secrets for people: copied from a screen or from paper, or told on the telephone."""

import secrets

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters and digits that are taken for each other. Almost five bits each."""

GROUP = 4


def invent(groups: int) -> str:
    """Random groups of four with strokes between them; about 19.8 bits a group."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(groups))
