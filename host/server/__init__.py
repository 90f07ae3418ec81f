"""An engine behind HTTP: OpenAI's routes, a page, metrics. `host.serve` starts it."""
