"""A board behind a serial line: frames, requests, and the device `serial` (docs/link.md)."""
