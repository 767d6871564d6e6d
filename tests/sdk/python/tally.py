"""Runs one test module and leaves "PASSED FAILED" in a file: tally.py MODULE FILE"""

import sys
import unittest
from pathlib import Path

module, file = sys.argv[1:]
result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromName(module))
failed = len(result.failures) + len(result.errors)
Path(file).write_text(f"{result.testsRun - failed - len(result.skipped)} {failed}\n")
sys.exit(failed > 0)
