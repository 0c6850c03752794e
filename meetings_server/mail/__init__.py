"""Mail: the outbox that is the delivery ledger, the letters, the sender."""
