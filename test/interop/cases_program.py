"""The program as its users run it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import List

import volseal
from support import (ALPHA, BETA, KEY_TEXT, OTHER_KEY_TEXT, PROGRAM, SUITES, Case, Halves, environment, flip,
                     one_key, pattern, run, seal)


class Program(Case):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.plain, self.sealed, self.back = (self.folder / name for name in ('plain', 'sealed', 'back'))
        self.plain.write_bytes(pattern(70_000))

    def assert_run(self, exit_code: int, said: str, *arguments: object,
                   **options: object) -> 'subprocess.CompletedProcess[bytes]':
        result = run(*arguments, **options)  # type: ignore[arg-type]
        errors = result.stderr.decode('utf-8')
        self.assertEqual(result.returncode, exit_code, errors)
        self.assertIn(said, errors)
        if exit_code == 0:
            self.assertEqual(errors, '')
        self.assertNotIn('Traceback', errors)
        return result

    def names(self) -> List[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_there_and_back(self) -> None:
        for suite in SUITES:
            for path in (self.sealed, self.back):
                path.unlink(missing_ok=True)
            self.assert_run(0, '', 'encrypt', self.plain, self.sealed, '--suite', suite, '--segment-bytes',
                            8192, '--context', 'tenant=a', '--context', 'note=x=y', env=one_key())
            self.assert_run(0, '', 'decrypt', self.sealed, self.back, env=one_key())
            self.assertEqual(self.back.read_bytes(), pattern(70_000))
            shown = json.loads(self.assert_run(0, '', 'inspect', self.sealed).stdout)
            self.assertEqual((shown['suite'], shown['segmentBytes'], shown['plainBytes'], shown['context']),
                             (suite, 8192, 70_000, {'note': 'x=y', 'tenant': 'a'}))
            self.assertEqual(shown['slots'], [
                {'type': 'fly-secret', 'keyId': volseal.show_key_id(ALPHA.key_id), 'label': 'alpha'}])
            self.assertEqual([half['good'] for half in shown['halves']], [True, True])
        self.assertEqual(self.names(), ['back', 'plain', 'sealed'])

    def test_pipes(self) -> None:
        sealed = self.assert_run(0, '', 'encrypt', '-', '-', stdin=b'through a pipe', env=one_key()).stdout
        self.assertEqual(self.assert_run(0, '', 'decrypt', '-', '-', stdin=sealed, env=one_key()).stdout,
                         b'through a pipe')
        shown = json.loads(self.assert_run(0, '', 'inspect', '-', stdin=sealed).stdout)
        self.assertIsNone(shown['plainBytes'])

    def test_failure_leaves_nothing_and_replaces_nothing(self) -> None:
        self.sealed.write_bytes(flip(seal(pattern(70_000)), 4096 * 9 + 50))
        self.assert_run(4, 'ERR_VOLSEAL_TAMPERED', 'decrypt', self.sealed, self.back, env=one_key())
        self.assertEqual(self.names(), ['plain', 'sealed'])
        self.back.write_bytes(b'precious')
        self.assert_run(4, 'ERR_VOLSEAL_TAMPERED', 'decrypt', self.sealed, self.back, '--force',
                        env=one_key())
        self.assertEqual(self.names(), ['back', 'plain', 'sealed'])
        self.assertEqual(self.back.read_bytes(), b'precious')

    def test_a_pipe_gets_authentic_bytes_alone(self) -> None:
        inner = 4096 - 32
        sealed = flip(seal(pattern(70_000)), 4096 * 9 + 50)
        result = self.assert_run(4, 'ERR_VOLSEAL_TAMPERED', 'decrypt', '-', '-', stdin=sealed, env=one_key())
        self.assertEqual(result.stdout, pattern(70_000)[:8 * inner])

    def test_an_existing_file_is_replaced_only_on_demand(self) -> None:
        self.sealed.write_bytes(seal(b'new'))
        self.back.write_bytes(b'old')
        self.assert_run(5, 'exists already', 'decrypt', self.sealed, self.back, env=one_key())
        self.assertEqual(self.back.read_bytes(), b'old')
        self.assert_run(0, '', 'decrypt', self.sealed, self.back, '--force', env=one_key())
        self.assertEqual(self.back.read_bytes(), b'new')
        link = self.folder / 'link'
        link.symlink_to(self.back)
        self.back.write_bytes(b'old')
        self.assert_run(0, '', 'decrypt', self.sealed, link, '--force', env=one_key())
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.back.read_bytes(), b'new')
        os.mkfifo(self.folder / 'fifo')
        self.assert_run(5, 'not a regular file', 'decrypt', self.sealed, self.folder / 'fifo', '--force',
                        env=one_key())

    def test_the_plaintext_is_for_its_owner_alone(self) -> None:
        self.sealed.write_bytes(seal(b'new'))
        self.assert_run(0, '', 'decrypt', self.sealed, self.back, env=one_key())
        self.assertEqual(self.back.stat().st_mode & 0o777, 0o600)

    def test_exit_codes(self) -> None:
        good = seal(pattern(5000), pairs={'tenant': 'a'})
        for exit_code, code, sealed, env in (
                (10, 'NOT_SEALED', b'plaintext', one_key()),
                (10, 'UNSUPPORTED_VERSION', Halves(good).both(8, b'\0\2').sealed, one_key()),
                (10, 'UNSUPPORTED_SUITE', Halves(good).both(44, b'\xf2').sealed, one_key()),
                (10, 'UNSUPPORTED_FEATURE', Halves(good).both(16, b'\3').sealed, one_key()),
                (4, 'HEADER_DAMAGED', flip(good, 30, 2048 + 30), one_key()),
                (4, 'HEADER_INVALID', Halves(good).both(20, bytes(8)).sealed, one_key()),
                (4, 'HEADER_CONFLICT', good[:2048] + seal(b'')[2048:4096] + good[4096:], one_key()),
                (4, 'HEADER_TAMPERED', Halves(good).both(20, volseal.u64(9)).sealed, one_key()),
                (3, 'KEY_MISSING', good, one_key(OTHER_KEY_TEXT)),
                (3, 'KEY_MISSING', good, {}),
                (3, 'WRONG_KEY', Halves(good).both(28, bytes(16)).sealed, one_key()),
                (4, 'TRUNCATED', good[:-1], one_key()),
                (4, 'TRAILING_DATA', good + b'\0', one_key())):
            self.sealed.write_bytes(sealed)
            result = self.assert_run(exit_code, f'ERR_VOLSEAL_{code}: ', 'decrypt', self.sealed, self.back,
                                     env=env)
            self.assertIn(b'\n  hint: ', result.stderr)
            self.assertNotIn(KEY_TEXT.encode(), result.stderr)
            self.assertFalse(self.back.exists())
        self.sealed.write_bytes(good)
        self.assert_run(4, 'ERR_VOLSEAL_CONTEXT_MISMATCH: ', 'decrypt', self.sealed, self.back, '--context',
                        'tenant=b', env=one_key())
        self.assert_run(0, '', 'decrypt', self.sealed, self.back, '--context', 'tenant=a', env=one_key())

    def test_usage(self) -> None:
        for arguments in (
                (), ('decode',), ('decrypt', self.sealed),
                ('encrypt', self.plain, self.sealed, '--suite', 'rot13'),
                ('encrypt', self.plain, self.sealed, '--segment-bytes', '4097'),
                ('encrypt', self.plain, self.sealed, '--segment-bytes', '8388608'),
                ('encrypt', self.plain, self.sealed, '--context', 'novalue'),
                ('encrypt', self.plain, self.sealed, '--context', 'a=1', '--context', 'a=2'),
                ('encrypt', self.plain, self.sealed, '--context', 'k' * 129 + '=1'),
                ('floe-decrypt', '00', '', self.plain, self.back),
                ('floe-decrypt', 'zz', '', self.plain, self.back),
                ('floe-encrypt', '00' * 32, '0', self.plain, self.back),
                ('floe-encrypt', '00' * 32, '', self.plain, self.back, '--segment-bytes', '32')):
            self.assert_run(2, '', *arguments, env=one_key())
        self.assertEqual(self.names(), ['plain'])

    def test_file_system(self) -> None:
        self.assert_run(5, 'No such file', 'decrypt', self.folder / 'none', self.back, env=one_key())
        self.assert_run(5, 'No such file', 'encrypt', self.plain, self.folder / 'none' / 'x', env=one_key())
        self.assert_run(5, 'directory', 'encrypt', self.folder, self.sealed, env=one_key())

    def test_secrets_of_the_environment(self) -> None:
        file = self.folder / 'secret'
        file.write_bytes(bytes(range(32)))
        shown_alpha, shown_beta = volseal.show_key_id(ALPHA.key_id), volseal.show_key_id(BETA.key_id)
        env = {'VOLSEAL_SECRET_FILE_a': str(file), 'VOLSEAL_SECRET_b': OTHER_KEY_TEXT + '\n',
               'VOLSEAL_SECRET_c': bytes(range(32)).hex()}
        self.assertEqual(self.assert_run(0, '', 'key-id', env=env).stdout.decode(),
                         f'a {shown_alpha}\nb {shown_beta}\nc {shown_alpha}\n')
        self.assert_run(3, 'VOLSEAL_PRIMARY', 'encrypt', self.plain, self.sealed, env=env)
        self.assert_run(3, "'d'", 'encrypt', self.plain, self.sealed, env={**env, 'VOLSEAL_PRIMARY': 'd'})
        self.assert_run(0, '', 'encrypt', self.plain, self.sealed, env={**env, 'VOLSEAL_PRIMARY': 'b'})
        shown = json.loads(run('inspect', self.sealed).stdout)['slots']
        self.assertEqual(shown, [{'type': 'fly-secret', 'keyId': shown_beta, 'label': 'b'}])
        self.assert_run(0, '', 'decrypt', self.sealed, self.back, env=one_key(OTHER_KEY_TEXT, 'other_label'))

    def test_secrets_that_are_not_keys(self) -> None:
        for env, said in (
                ({}, 'no secret is set'), (one_key('hunter2'), 'VOLSEAL_SECRET_alpha: not a key'),
                ({'VOLSEAL_SECRET_FILE_a': str(self.folder / 'none')}, 'VOLSEAL_SECRET_FILE_a: its file'),
                ({'VOLSEAL_SECRET_a-b': KEY_TEXT}, 'a label is'),
                ({'VOLSEAL_SECRET_FILE_': KEY_TEXT}, 'a label is'),
                ({'VOLSEAL_SECRET_FILE_a': '/dev/zero'}, 'far too long')):
            result = self.assert_run(3, said, 'encrypt', self.plain, self.sealed, env=env)
            self.assertNotIn(b'hunter2', result.stderr)
        file = self.folder / 'secret'
        file.write_text(OTHER_KEY_TEXT)
        self.assert_run(3, 'set twice', 'key-id', env={**one_key(), 'VOLSEAL_SECRET_FILE_alpha': str(file)})

    def test_a_key_in_a_file_for_floe(self) -> None:
        key = self.folder / 'key'
        key.write_text('01' * 32 + '\n')
        self.assert_run(0, '', 'floe-encrypt', f'@{key}', '', self.plain, self.sealed, '--segment-bytes',
                        1000)
        self.assert_run(0, '', 'floe-decrypt', '01' * 32, '', self.sealed, self.back)
        self.assertEqual(self.back.read_bytes(), self.plain.read_bytes())
        self.assert_run(3, 'ERR_VOLSEAL_WRONG_KEY', 'floe-decrypt', '02' * 32, '', self.sealed, '-')

    def test_memory_does_not_grow_with_the_file(self) -> None:
        """160 MiB through a process that may not have 128 MiB of address space."""
        with open(self.plain, 'wb') as file:
            file.truncate(160 << 20)
        limit_bytes = 128 << 20
        self.assert_run(0, '', 'encrypt', self.plain, self.sealed, env=one_key(), limit_bytes=limit_bytes)
        self.assert_run(0, '', 'decrypt', self.sealed, self.back, env=one_key(), limit_bytes=limit_bytes)
        self.assertEqual(self.back.stat().st_size, 160 << 20)

    def test_a_vanished_reader(self) -> None:
        self.sealed.write_bytes(seal(bytes(1 << 20)))
        with subprocess.Popen([sys.executable, str(PROGRAM), 'decrypt', str(self.sealed), '-'],
                              env=environment(one_key()), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            errors = process.stderr.read().decode()
        self.assertEqual(process.returncode, 5)
        self.assertEqual(errors, 'volseal.py: the reader of the output went away\n')

    def test_ended_by_a_signal_it_leaves_nothing(self) -> None:
        with subprocess.Popen([sys.executable, str(PROGRAM), 'encrypt', '-', str(self.sealed)],
                              env=environment(one_key()), stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(bytes(1 << 20))
            process.stdin.flush()
            # Taking a whole MiB through a pipe of 64 KiB, it has begun to write.
            self.assertEqual(len([name for name in self.names() if name.startswith('.volseal-')]), 1)
            process.terminate()
            process.stdin.close()
            self.assertEqual(process.wait(), 143)
        self.assertEqual(self.names(), ['plain'])
