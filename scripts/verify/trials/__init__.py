"""Trials: small inputs out of other people's reports, run through the commands as their users ran them."""
