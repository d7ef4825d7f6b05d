"""Simulates a carrier: its SMSC, USSD gateway, location service and the phones that text."""
