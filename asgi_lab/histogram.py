"""Durations, counted: any quantile of any number of them, in bounded memory."""


class Histogram:
    """Durations in buckets 1 % wide (`bits=7`; each bit less doubles that): quantiles, bounded."""

    __slots__ = ("bits", "count", "counts", "longest")

    def __init__(self, bits: int = 7) -> None:
        self.bits = bits
        self.counts: dict[int, int] = {}
        self.count = 0
        self.longest = 0
        """The longest duration, exactly, in nanoseconds."""

    def add(self, duration: int) -> None:
        """Count a duration, in nanoseconds."""
        duration = max(duration, 0)
        shift = max(duration.bit_length() - self.bits, 0)
        bucket = (duration >> shift) << shift
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.count += 1
        if duration > self.longest:
            self.longest = duration

    def quantile(self, q: float) -> int:
        """Return the duration in nanoseconds that a share `q` of all do not exceed; 0 of none."""
        rank = q * self.count
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                if self.counts[bucket] == 1 and bucket == max(self.counts):
                    break  # the longest itself, and that is known exactly
                width = 1 << max(bucket.bit_length() - self.bits, 0)
                return min(bucket + width // 2, self.longest)
        return self.longest
