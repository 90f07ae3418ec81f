"""Steering: stages that move the residual stream."""
