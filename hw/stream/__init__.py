"""The common room: queues, pipelines, arbiters and counters that every engine uses; it uses none of them."""
