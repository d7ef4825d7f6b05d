"""Enrolment by file: tables as schools and offices keep them, read and written row by row."""
