"""The transactional outbox: one room, in which every statement stands that writes the table ``delivery``.

What must leave the house is a row, written in the transaction of the fact that causes it. Each file holds verbs:

- `writing`: enqueue, fold, hurry, hasten, again, supersede;
- `ringing`: the channels on which a transaction has written a due delivery are collected, and rung after the commit;
- `handing_over`: what a transaction has written is taken by its own process in the same transaction, where there is a place for it;
- `claiming`: claim with a lease, and the look-ups for it; `settling`: settle with an outcome, give back;
- `starting`: release leases and put due times right, once, when a daemon starts;
- `repairing`: change rows that are damaged, or that another hand has changed.

First in, first out within an incident and channel; parallel across incidents. A lease that lapses (its process
died) makes the row claimable again. A process that was only stopped may go on after that: every acquisition has a token of its
own, and what is settled or given back under an earlier one is not written down.

A row's code (`telephony.store.bound`) is made here alone, by the verb that writes what it covers. What works on every table
alike is no verb of the outbox: retention deletes rows with their incidents, salvage and migrations copy them, and resealing
makes their codes under a new key.
"""
