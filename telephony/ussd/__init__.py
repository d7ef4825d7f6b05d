"""USSD dialogues."""
