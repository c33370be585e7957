# SPDX-License-Identifier: Apache-2.0
"""
How long tests wait for what must come. They say what it takes at most where nothing else runs; a machine may be
five times as slow as that, and programs with sanitizers take AXONEME_TEST_PATIENCE times as long again. Only a
test that fails waits for all of it.
"""

import os

FACTOR = 5 * float(os.environ.get("AXONEME_TEST_PATIENCE", "1"))


def stretch(seconds):
    return FACTOR * seconds
