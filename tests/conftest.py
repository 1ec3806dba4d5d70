"""What every test may ask for: a page in a real browser (see `tests.browser`)."""

import pytest

pytest.register_assert_rewrite("tests.browser")

from tests.browser import chromium, dark_page, page  # noqa: E402

__all__ = ["chromium", "dark_page", "page"]
