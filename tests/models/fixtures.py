"""Where the checkpoints with reference logits lie: `shared/fixtures` beside the repository."""

from pathlib import Path

import pytest

__all__ = ["FIXTURES", "needs_fixtures"]

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"

needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no checkpoints with reference logits at {FIXTURES}")
