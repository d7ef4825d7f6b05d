"""The dialplan and PJSIP files, read and checked without an Asterisk."""
