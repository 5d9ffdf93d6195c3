"""What is on the bus: the CloudEvents envelope, the event models, the catalogue and the delivery events."""
