"""The loops that drive the line (source, sender, recorder, relay, dispatcher) and the pure handlers of each event."""
