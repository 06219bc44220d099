"""Runs vectors through the command line of test/interop/volseal.py, all in one process.

Standard input: a JSON list of {"sealed": PATH, "plain": PATH, "secrets": {...}, "context": {...}}.
Standard output: a JSON list of {"exit": N, "said": TEXT}, in the same order.
"""

import contextlib
import io
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'interop'))
import volseal  # noqa: E402


def run(vector):
    for name in [name for name in os.environ if name.startswith('VOLSEAL_')]:
        del os.environ[name]
    os.environ.update(vector['secrets'])
    arguments = ['decrypt', vector['sealed'], vector['plain']]
    for key, value in vector['context'].items():
        arguments += ['--context', f'{key}={value}']
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        exit_code = volseal.main(arguments)
    return {'exit': exit_code, 'said': said.getvalue()}


json.dump([run(vector) for vector in json.load(sys.stdin)], sys.stdout)
