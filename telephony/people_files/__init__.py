"""Reads and writes enrolment files (CSV, XLSX) row by row, as schools and offices keep them."""
