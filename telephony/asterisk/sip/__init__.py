"""Reads SIP messages: headers, bodies, the position and the cell that an INVITE carries."""
