"""Everything reachable, checked, with what to do about it: what `outbound doctor` shows."""
