"""Every test of volseal.py, the independent program: /usr/bin/python3 test/interop/test_volseal.py"""

from __future__ import annotations

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

CASES = (
    'cases_known_answers',
    'cases_secrets_and_context',
    'cases_round_trips',
    'cases_header',
    'cases_segments',
    'cases_keyring',
    'cases_mutable',
    'cases_journal',
    'cases_program',
)


def load_tests(loader: unittest.TestLoader, _tests: unittest.TestSuite,
               _pattern: object) -> unittest.TestSuite:
    return loader.loadTestsFromNames(CASES)


if __name__ == '__main__':
    unittest.main()
