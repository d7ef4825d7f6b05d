"""Reports to the 112 control centre."""
