"""The composition root: command line, settings, wiring, telemetry and the embedded servers for development."""
