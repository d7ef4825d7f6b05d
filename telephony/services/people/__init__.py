"""Enrolment by text and menu, drills, and the replies that are awaited."""
