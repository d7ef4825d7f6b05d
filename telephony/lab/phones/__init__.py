"""Simulates phones with a voice: SIP and RTP, the handset that calls and the operators who answer."""
