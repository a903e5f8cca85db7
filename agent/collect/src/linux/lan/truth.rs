//! How certain a condition is for a stranger.

/// Whether something can happen to a stranger's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Can {
    /// Certainly not.
    No,
    /// Unknown.
    Perhaps,
    /// It can: certainly, or because the sender may choose, wait or retry.
    Yes,
}

impl Can {
    /// Both are required.
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// One is enough.
    pub(super) fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

/// Whether a condition can hold and whether it can fail. Both are possible when the sender or chance decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) holds: Can,
    pub(super) fails: Can,
}

impl Truth {
    pub(super) const YES: Self = Self { holds: Can::Yes, fails: Can::No };
    pub(super) const NO: Self = Self { holds: Can::No, fails: Can::Yes };
    /// The sender can get either result: a limit, a field they choose, chance.
    pub(super) const EITHER: Self = Self { holds: Can::Yes, fails: Can::Yes };
    pub(super) const UNKNOWN: Self = Self { holds: Can::Perhaps, fails: Can::Perhaps };

    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::YES } else { Self::NO }
    }

    pub(super) fn not(self) -> Self {
        Self { holds: self.fails, fails: self.holds }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { holds: self.holds.and(other.holds), fails: self.fails.or(other.fails) }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { holds: self.holds.or(other.holds), fails: self.fails.and(other.fails) }
    }
}
