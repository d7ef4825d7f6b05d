"""People: who is registered, what is kept about them, keywords and texts of enrolment."""
