//! The firmware tables (SMBIOS, DMTF DSP0134 3.7) as returned by `GetSystemFirmwareTable('RSMB')`. Pure; parsing stops at any damage.

/// The content of the tables; texts as the maker wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    /// Maker of the machine.
    pub(super) maker: Option<String>,
    /// Its product name.
    pub(super) product: Option<String>,
    /// Its serial number.
    pub(super) serial: Option<String>,
    /// Chassis type (7.4.1).
    pub(super) chassis: Option<u8>,
    /// The day the firmware was released, `MM/DD/YYYY`.
    pub(super) released: Option<String>,
    /// True when the tables say that they describe a virtual machine.
    pub(super) virtual_machine: bool,
    /// Installed memory in bytes; 0 when no table gives it.
    pub(super) memory: u64,
}

/// Before the tables: calling method, version, revision, length.
const HEADER: usize = 8;
/// The most tables examined.
const MOST: usize = 4_096;

/// Reads the tables.
pub(super) fn read(bytes: &[u8]) -> Tables {
    let mut tables = Tables::default();
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    for _ in 0..MOST {
        let Some((table, after)) = next(rest) else { break };
        match table.kind {
            0 => firmware(&table, &mut tables),
            1 => {
                tables.maker = tables.maker.take().or_else(|| table.text(4));
                tables.product = tables.product.take().or_else(|| table.text(5));
                tables.serial = tables.serial.take().or_else(|| table.text(7));
            }
            // The first is the machine's own; others are docks and blades. The highest bit says that it has a lock.
            3 => tables.chassis = tables.chassis.or_else(|| table.byte(5).map(|code| code & 0x7F)),
            17 => tables.memory = tables.memory.saturating_add(module(&table)),
            127 => break,
            _ => {}
        }
        rest = after;
    }
    tables
}

fn firmware(table: &Table<'_>, tables: &mut Tables) {
    tables.released = tables.released.take().or_else(|| table.text(8));
    // Second byte of the characteristics extension (7.1.2.2).
    tables.virtual_machine |= table.byte(0x13).is_some_and(|extension| extension & 0x10 != 0);
}

/// The size of a memory module in bytes (7.18); 0 for an empty slot and for one without a size.
fn module(table: &Table<'_>) -> u64 {
    const KIBI: u64 = 1 << 10;
    const MEBI: u64 = 1 << 20;
    match table.word(0x0C) {
        None | Some(0 | 0xFFFF) => 0,
        Some(0x7FFF) => table.double(0x1C).map_or(0, |size| u64::from(size & 0x7FFF_FFFF) * MEBI),
        Some(size) if size & 0x8000 != 0 => u64::from(size & 0x7FFF) * KIBI,
        Some(size) => u64::from(size) * MEBI,
    }
}

struct Table<'a> {
    kind: u8,
    /// With its four bytes of header.
    body: &'a [u8],
    texts: &'a [u8],
}

impl Table<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.body.get(at).copied()
    }

    fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.body.get(at..at + 2)?.try_into().ok()?))
    }

    fn double(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.body.get(at..at + 4)?.try_into().ok()?))
    }

    /// The text whose number is at `at`; numbers begin with 1.
    fn text(&self, at: usize) -> Option<String> {
        let number = usize::from(self.byte(at)?).checked_sub(1)?;
        let text = self.texts.split(|&byte| byte == 0).nth(number)?;
        let text = String::from_utf8_lossy(text);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The first table and what follows it; `None` at the end and where lengths do not fit.
fn next(bytes: &[u8]) -> Option<(Table<'_>, &[u8])> {
    let (kind, length) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    if length < 4 {
        return None;
    }
    let body = bytes.get(..length)?;
    let after = bytes.get(length..)?;
    // An empty text ends the texts.
    let end = after.windows(2).position(|pair| pair == [0, 0])?;
    Some((Table { kind, body, texts: &after[..end] }, &after[end + 2..]))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table of `kind` with `fields` after its header.
    fn table(kind: u8, fields: &[u8], texts: &[&str]) -> Vec<u8> {
        let mut bytes = vec![kind, u8::try_from(fields.len() + 4).unwrap(), 0, 0];
        bytes.extend(fields);
        for text in texts {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        if texts.is_empty() {
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    fn memory(size: u16, extended: u32) -> Vec<u8> {
        let mut fields = vec![0; 0x20 - 4];
        fields[8..10].copy_from_slice(&size.to_le_bytes());
        fields[0x18..0x1C].copy_from_slice(&extended.to_le_bytes());
        table(17, &fields, &["DIMM 1"])
    }

    /// The tables of an office computer.
    pub(crate) fn office() -> Vec<u8> {
        let mut bios = vec![0; 0x14 - 4];
        bios[0..5].copy_from_slice(&[1, 2, 0, 0, 3]);
        let mut bytes = vec![0, 3, 2, 0, 0, 0, 0, 0];
        bytes.extend(table(0, &bios, &["Dell Inc.", "2.19.0", "06/12/2020"]));
        bytes.extend(table(1, &[1, 2, 0, 3], &["Dell Inc.", "OptiPlex 3080", "7XK2Q63"]));
        bytes.extend(table(3, &[1, 0x80 | 3, 0, 0], &["Dell Inc."]));
        bytes.extend(memory(8192, 0));
        bytes.extend(memory(0x7FFF, 32_768));
        bytes.extend(memory(0, 0));
        bytes.extend(memory(0xFFFF, 0));
        bytes.extend(memory(0x8000 | 512, 0));
        bytes.extend(table(127, &[], &[]));
        bytes.extend(table(1, &[1, 1, 0, 1], &["after the end"]));
        bytes
    }

    #[test]
    fn an_office_computer_is_read() {
        let expected = Tables {
            maker: Some("Dell Inc.".to_owned()),
            product: Some("OptiPlex 3080".to_owned()),
            serial: Some("7XK2Q63".to_owned()),
            chassis: Some(3),
            released: Some("06/12/2020".to_owned()),
            virtual_machine: false,
            memory: (8192 + 32_768) * (1 << 20) + 512 * (1 << 10),
        };
        assert_eq!(read(&office()), expected);
    }

    #[test]
    fn tables_cut_anywhere_tell_what_came_before() {
        let whole = office();
        for end in 0..whole.len() {
            let part = read(&whole[..end]);
            assert!(part.maker.is_none() || part.maker.as_deref() == Some("Dell Inc."), "{end}");
            assert!(part.memory <= read(&whole).memory, "{end}");
        }
        assert_eq!(read(&[]), Tables::default());
        let missing_text = [&[0; HEADER][..], &table(1, &[9, 0, 0, 0], &["one"])].concat();
        assert_eq!(read(&missing_text), Tables::default());
    }

    #[test]
    fn a_virtual_machine_says_so() {
        let mut bios = vec![0; 0x14 - 4];
        bios[0x13 - 4] = 0x10;
        let tables = [&[0; HEADER][..], &table(0, &bios, &[])].concat();
        assert!(read(&tables).virtual_machine);
    }

    proptest! {
        #[test]
        fn no_bytes_disturb_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..600, byte: u8) {
            read(&bytes);
            let mut changed = office();
            let length = changed.len();
            changed[at % length] = byte;
            read(&changed);
        }
    }
}
