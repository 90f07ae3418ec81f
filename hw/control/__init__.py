"""The way from the processor: registers, the sequencer, engine queues, semaphores, the state of a run."""
