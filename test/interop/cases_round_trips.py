"""What is sealed opens again: every size, suite and region (§2, §3, §6)."""

from __future__ import annotations

import io
import os
import struct

import volseal
from support import SUITES, Case, context_of, header_of, pattern, seal, unseal


class RoundTrips(Case):
    def test_every_size_around_every_boundary(self) -> None:
        for suite in SUITES:
            for segment_bytes in (4096, 4608):
                inner = segment_bytes - volseal.segment_overhead_bytes(volseal.SUITE_IDS[suite])
                sizes = {0, 1, 2, 15, 16, 17} | {k * inner + d for k in (1, 2, 3) for d in (-1, 0, 1)}
                for size in sorted(sizes):
                    with self.subTest(suite=suite, segment_bytes=segment_bytes, size=size):
                        plain = pattern(size)
                        sealed = seal(plain, suite, segment_bytes)
                        self.assertEqual(unseal(sealed), plain)
                        # A last segment is empty only when the whole body is.
                        segments = max(1, -(-size // inner))
                        overhead = segments * (segment_bytes - inner)
                        self.assertEqual(len(sealed), 4096 + size + overhead)
                        header = header_of(sealed)
                        self.assertEqual(volseal.plain_bytes(header, len(sealed)), size)

    def test_largest_segments(self) -> None:
        plain = pattern(volseal.MAX_SEGMENT_BYTES + 100)
        for suite in SUITES:
            self.assertEqual(unseal(seal(plain, suite, volseal.MAX_SEGMENT_BYTES)), plain)

    def test_both_suites_have_their_layout(self) -> None:
        for suite, aead_id, iv_bytes in (('aes-256-gcm', 0, 12), ('xchacha20-poly1305', 0xF1, 24)):
            sealed = seal(pattern(5000), suite)
            self.assertEqual(sealed[44:54], bytes([aead_id, 0]) + struct.pack('>II', 4096, 32))
            self.assertEqual(sealed[4096:4100], b'\xff\xff\xff\xff')
            last = sealed[8192:]
            self.assertEqual(len(last), 5000 - (4096 - 20 - iv_bytes) + 20 + iv_bytes)
            self.assertEqual(last[:4], struct.pack('>I', len(last)))

    def test_nothing_repeats_between_two_files(self) -> None:
        one, two = header_of(seal(b'x')), header_of(seal(b'x'))
        self.assertNotEqual(one.file_id, two.file_id)
        self.assertNotEqual(one.floe_header, two.floe_header)
        self.assertNotEqual(one.slots[0].wrapped[:24], two.slots[0].wrapped[:24])

    def test_an_empty_last_segment_after_full_ones_is_read(self) -> None:
        for suite in SUITES:
            aead_id = volseal.SUITE_IDS[suite]
            floe = volseal.Floe(bytes(32), aead_id, 4096, bytes(32), b'')
            plain = pattern(2 * floe.plain_segment_bytes)
            message = floe.header
            for position in (0, 1):
                part = plain[position * floe.plain_segment_bytes:][:floe.plain_segment_bytes]
                message += floe.seal_segment(part, position, last=False)
            message += floe.seal_segment(b'', 2, last=True)
            pieces = volseal.floe_decrypt_stream(bytes(32), b'', io.BytesIO(message))
            self.assertEqual(b''.join(pieces), plain)

    def test_the_segment_key_changes_every_2_to_the_20_segments(self) -> None:
        floe = volseal.Floe(bytes(32), 0, 4096, bytes(32), b'')
        positions = (0, 2 ** 20 - 1, 2 ** 20, 2 ** 21 - 1, 2 ** 21)
        at = {position: floe._key_at(position) for position in positions}
        self.assertEqual(at[0], at[2 ** 20 - 1])
        self.assertEqual(at[2 ** 20], at[2 ** 21 - 1])
        self.assertEqual(len(set(at.values())), 3)

    def test_no_more_segments_than_2_to_the_40(self) -> None:
        floe = volseal.Floe(bytes(32), 0, 4096, bytes(32), b'')
        whole = bytes(floe.plain_segment_bytes)
        self.assertEqual(len(floe.seal_segment(whole, 2 ** 40 - 1, last=True)), 4096)
        with self.assertRaises(volseal.UsageError):
            floe.seal_segment(whole, 2 ** 40 - 1, last=False)

    def test_every_region_size_and_either_half(self) -> None:
        plain = pattern(10_000)
        for region_log2 in range(11, 17):
            region_bytes = 1 << region_log2
            sealed = seal(plain, region_bytes=region_bytes)
            self.assertEqual(len(sealed) - region_bytes, 10_000 + 3 * 32)
            for torn in (0, 1):
                with self.subTest(region_bytes=region_bytes, torn=torn):
                    half_bytes = region_bytes // 2
                    start = torn * half_bytes
                    written_in_part = sealed[start:start + 100] + bytes(half_bytes - 100)
                    for damage in (bytes(half_bytes), os.urandom(half_bytes), written_in_part):
                        torn_file = sealed[:start] + damage + sealed[start + half_bytes:]
                        self.assertEqual(unseal(torn_file), plain)

    def test_the_region_grows_with_the_context(self) -> None:
        # One slot with the label "alpha": 131 bytes, 133 with its length; 320 more for a location.
        fixed = 166 + 2 + 2 + 1 + 133 + 36
        for region_bytes in (4096, 8192, 16384, 32768):
            room = region_bytes // 2 - fixed - 133 - 320
            context_bytes = min(room, 8192)
            self.assertEqual(header_of(seal(b'', pairs=context_of(context_bytes))).region_bytes, region_bytes)
            if context_bytes == room:
                header = header_of(seal(b'', pairs=context_of(room + 1)))
                self.assertEqual(header.region_bytes, 2 * region_bytes)

    def test_the_two_halves_differ_in_index_checksum_and_mac_alone(self) -> None:
        sealed = seal(b'x', pairs={'tenant': 'a'})
        copy_bytes = int.from_bytes(sealed[12:16], 'big')
        first, second = sealed[:2048], sealed[2048:4096]
        differ = {i for i in range(2048) if first[i] != second[i]}
        self.assertEqual((first[10], second[10]), (0, 1))
        self.assertLessEqual(differ, {10} | set(range(copy_bytes - 36, copy_bytes)))
        self.assertEqual(first[copy_bytes:], bytes(2048 - copy_bytes))
