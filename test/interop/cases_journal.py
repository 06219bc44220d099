"""The journal of a mutable file (journal-v1.md)."""

from __future__ import annotations

import os
from typing import Dict, List, Optional

import volseal
from cases_mutable import Volumes
from support import flip, pattern
from volume_files import MutableFile

INNER = 4096 - 44


class Written(MutableFile):
    """A file and the journal that a writer has kept beside it."""

    def __init__(self, *arguments: object, **options: object):
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.key = volseal.hkdf_expand_32(self.file_key, b'volseal/v1/journal')
        self.start = volseal.JOURNAL_MAGIC + volseal.u16(1) + bytes(6) + self.file_id + self.floe.header[10:42]
        self.records: List[bytes] = []

    def record(self, sync_seq: int, body_bytes: int, segments: Dict[int, bytes],
               previous: Optional[bytes] = None) -> bytes:
        if previous is None:
            previous = self.records[-1][-32:] if self.records else self.start
        body = b''.join(segments[index] for index in sorted(segments))
        table = b''.join(volseal.u64(index) + volseal.u32(len(segments[index])) for index in sorted(segments))
        head = volseal.u64(sync_seq) + volseal.u64(body_bytes) + volseal.u32(len(segments)) + table + body
        record = volseal.RECORD_MARK + volseal.u32(8 + len(head) + 32) + head
        return record + volseal.hmac_sha256(self.key, previous + record)

    def sync(self, sync_seq: int, plain: bytes, changed: List[int]) -> None:
        """A record that says that the content is `plain` now, with the segments that changed."""
        segments = self.segments(plain)
        self.records.append(self.record(sync_seq, sum(map(len, segments)), {i: segments[i] for i in changed}))

    @property
    def journal(self) -> bytes:
        return self.start + b''.join(self.records)


class Journals(Volumes):
    def setUp(self) -> None:
        super().setUp()
        self.file = Written(self.folder.key)
        self.plain = pattern(3 * INNER + 100)
        self.sealed = self.file.sealed(self.plain)

    def keep(self, journal: bytes) -> None:
        self.folder.journal(self.file).write_bytes(journal)

    def expect(self, plain: bytes, journal: bytes, sealed: Optional[bytes] = None) -> None:
        self.keep(journal)
        self.assertEqual(self.unseal(sealed or self.sealed), plain)

    def tampered(self, journal: bytes) -> None:
        self.keep(journal)
        self.refused('JOURNAL_TAMPERED', self.sealed)

    def changed(self, seed: bytes, segment: int) -> bytes:
        plain = bytearray(self.plain)
        plain[segment * INNER:segment * INNER + 10] = seed * 10
        self.plain = bytes(plain)
        return self.plain

    def three_syncs(self) -> List[bytes]:
        """The contents after none, one, two and three records."""
        contents = [self.plain]
        for sync_seq, seed in enumerate((b'a', b'b', b'c'), 1):
            contents.append(self.changed(seed, sync_seq - 1))
            self.file.sync(sync_seq, self.plain, [sync_seq - 1])
        return contents

    def test_every_prefix_of_a_journal(self) -> None:
        contents = self.three_syncs()
        journal = self.file.journal
        ends = [64]
        for record in self.file.records:
            ends.append(ends[-1] + len(record))
        for length_bytes in {*range(0, 200), *(end + d for end in ends for d in (-33, -1, 0, 1, 30))}:
            if 0 <= length_bytes <= len(journal):
                whole = sum(end <= length_bytes for end in ends[1:])
                self.expect(contents[whole], journal[:length_bytes])

    def test_a_torn_last_record_was_never_acknowledged(self) -> None:
        contents = self.three_syncs()
        journal = self.file.journal
        last = len(self.file.records[-1])
        for at in (1, 5, 20, 40, 60, last - 40, last - 1):
            self.expect(contents[2], flip(journal, len(journal) - last + at))
        self.expect(contents[2], journal[:-1000] + bytes(1000))

    def test_a_record_in_the_middle_that_is_not_authentic(self) -> None:
        self.three_syncs()
        journal = self.file.journal
        middle = 64 + len(self.file.records[0])
        for at in (0, 4, 8, 30, 100, len(self.file.records[1]) - 33):
            self.tampered(flip(journal, middle + at))
        # The record after it chains to its MAC, and so only the one after that can tell.
        self.tampered(flip(journal, middle - 1))
        for at in (0, 8, 20, 63, 64, 100):
            self.tampered(flip(journal, at))
        self.tampered(journal[:middle] + os.urandom(77) + journal[middle:])

    def test_what_a_journal_does_not_prevent(self) -> None:
        """A journal without some of its records takes the file back to an earlier sync (§9)."""
        contents = self.three_syncs()
        first, _, third = self.file.records
        self.expect(contents[1], self.file.start + first + third)
        self.expect(contents[0], self.file.start + b''.join(reversed(self.file.records)))
        self.expect(contents[1], self.file.start + first)

    def test_leftovers_of_a_checkpoint_do_not_count(self) -> None:
        contents = self.three_syncs()
        old = self.file.journal
        # Syncs 1 to 3 are in place and in the header; the fourth lies over the first.
        segments = self.file.segments(contents[3])
        body = b''.join(segments)
        sealed = self.file.region(len(body), sync_seq=3) + body
        self.expect(contents[3], old, sealed)
        self.file.records.clear()
        content = self.changed(b'd', 3)
        self.file.sync(4, content, [3])
        new = self.file.journal
        self.expect(content, new + old[len(new):], sealed)
        self.expect(content, new + bytes(5000), sealed)

    def test_a_journal_that_is_older_than_the_file(self) -> None:
        contents = self.three_syncs()
        body = b''.join(self.file.segments(self.changed(b'z', 0)))
        for sync_seq in (4, 100):
            self.expect(self.plain, self.file.journal, self.file.region(len(body), sync_seq) + body)
        # An equal number is applied: the checkpoint may not have been durable as a whole.
        self.expect(contents[3], self.file.journal, self.file.region(len(body), 3) + body)

    def test_lengths(self) -> None:
        longer = self.plain + pattern(2 * INNER)
        segments = self.file.segments(longer)
        # What lies wholly behind the old end was written straight to the file.
        sealed = self.sealed[:4096 + 3 * 4096] + b'?' * 4096 + b''.join(segments[4:])
        self.file.records.append(self.file.record(1, sum(map(len, segments)), {3: segments[3]}))
        self.expect(longer, self.file.journal, sealed)
        self.keep(self.file.journal)
        self.refused('TRUNCATED', sealed[:-1])
        shorter = longer[:INNER + 5]
        self.file.sync(2, shorter, [1])
        self.expect(shorter, self.file.journal, sealed)
        # It grows again: the journal's older segments behind the cut are gone.
        again = shorter + bytes(3 * INNER)
        segments = self.file.segments(again)
        sealed = sealed[:4096 + 2 * 4096] + b''.join(segments[2:])
        self.file.records.append(self.file.record(3, sum(map(len, segments)), {1: segments[1]}))
        self.expect(again, self.file.journal, sealed)

    def test_journals_that_say_nothing(self) -> None:
        for journal in (b'', b'\0', bytes(64), bytes(64) + self.file.journal, bytes(5000), self.file.start[:63],
                        self.file.start, self.file.start + os.urandom(3000)):
            self.expect(self.plain, journal)
        other = Written(self.folder.key)
        other.sync(1, bytes(1000), [0])
        self.expect(self.plain, other.journal)

    def test_a_newer_journal(self) -> None:
        self.keep(self.file.start[:8] + volseal.u16(2) + self.file.start[10:])
        self.refused('UNSUPPORTED_VERSION', self.sealed)

    def test_records_of_another_file(self) -> None:
        other = Written(self.folder.key)
        other.sync(1, bytes(1000), [0])
        self.expect(self.plain, self.file.start + other.records[0])

    def test_records_that_are_not_well_formed(self) -> None:
        segments = self.file.segments(self.plain)
        body_bytes = sum(map(len, segments))
        good = {0: segments[0]}
        for sync_seq, length, changed in (
                (0, body_bytes, good), (2 ** 53, body_bytes, good), (1, 43, {}), (1, 4096 + 7, good), (1, body_bytes, {}),
                (1, body_bytes, {4: segments[0]}), (1, body_bytes, {0: segments[3]}), (1, body_bytes, {3: segments[0]}),
                (1, 2 ** 53, good)):
            self.file.records.clear()
            self.file.records.append(self.file.record(sync_seq, length, changed))
            self.expect(self.plain, self.file.journal)
        record = self.file.record(1, body_bytes, {0: segments[0], 1: segments[1]}, self.file.start)
        twice = bytearray(record)
        twice[28 + 12:28 + 20] = twice[28:36]
        body = bytes(twice[:-32])
        self.expect(self.plain, self.file.start + body + volseal.hmac_sha256(self.file.key, self.file.start + body))

    def test_a_gap_in_the_numbers(self) -> None:
        contents = self.three_syncs()
        self.file.records[1:] = []
        self.file.sync(3, contents[3], [0, 1, 2])
        self.tampered(self.file.journal)
