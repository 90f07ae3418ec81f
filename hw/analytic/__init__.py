"""The analytic model: cycles and sites of a build before it is simulated or synthesised, and the choice among many."""
