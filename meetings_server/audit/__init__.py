"""The record of what was done: who, for whom, when, from where, what it was before and after."""
