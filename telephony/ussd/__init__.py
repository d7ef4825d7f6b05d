"""USSD dialogues: presses by SOS code, the service menu, the texts shown. Pure; the wire is `telephony.smpp`."""
