"""What operators see: request log, failures, metrics. Never a person's data, a query value, a body or a token."""
