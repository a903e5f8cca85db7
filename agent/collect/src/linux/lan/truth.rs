//! How sure a condition is for a stranger.

/// Whether something can happen to a stranger's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Can {
    /// Surely not.
    No,
    /// It cannot be told.
    Perhaps,
    /// It can: surely, or because he may choose, wait or try again.
    Yes,
}

impl Can {
    /// Both must be.
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// One is enough.
    pub(super) fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

/// Whether a condition can hold and whether it can fail. Both can where the sender has a choice or chance decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) holds: Can,
    pub(super) fails: Can,
}

impl Truth {
    pub(super) const YES: Self = Self { holds: Can::Yes, fails: Can::No };
    pub(super) const NO: Self = Self { holds: Can::No, fails: Can::Yes };
    /// The sender may have it either way: a limit, a field he fills in, chance.
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
