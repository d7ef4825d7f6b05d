"""USSD dialogues: what a dialled code means and what the phone is shown. Pure; the wire is `telephony.smpp`."""
