//! The oldest Windows: Windows 7 SP1 has what the programs import, and its loader accepts them.

use std::path::Path;

use anyhow::{Context, ensure};
use harness::process::{answer, command};
use harness::windows;

/// What they may import, and how that was looked up.
const FUNCTIONS: &str = include_str!("windows_7/functions.txt");

/// Windows 7, as the header of a program says which Windows it needs.
const OLDEST: (u32, u32) = (6, 1);

/// Whether `import` (`dll!function`) may be imported by the program for `architecture`.
fn is_there(import: &str, architecture: &str) -> bool {
    FUNCTIONS.lines().filter(|line| !line.starts_with('#')).any(|line| match line.split_once(' ') {
        None => line == import,
        Some((listed, only)) => listed == import && only == architecture,
    })
}

/// What the import table holds (`dll!function`). A function imported by number only is called `<none>`.
fn imports(dump: &str) -> anyhow::Result<Vec<String>> {
    let (mut found, mut library) = (Vec::new(), None);
    for line in dump.lines().map(str::trim) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        match fields[..] {
            ["DLL", "Name:", name] => library = Some(name.to_lowercase()),
            [] => library = None,
            [_, _, function, ..] if library.is_some() && function != "Member-Name" => {
                found.push(format!("{}!{function}", library.as_deref().unwrap_or_default()));
            }
            _ => {}
        }
    }
    ensure!(!found.is_empty(), "no import table was read");
    Ok(found)
}

/// A number of the program's header.
fn number(dump: &str, name: &str) -> anyhow::Result<u32> {
    let line = dump.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().parse()?)
}

fn dump(program: &Path) -> anyhow::Result<String> {
    let dump = answer(command("objdump").arg("-p").arg(program))?;
    ensure!(dump.code == Some(0), "{}", dump.err);
    Ok(dump.out)
}

#[test]
fn the_windows_programs_load_on_windows_7() -> anyhow::Result<()> {
    for architecture in ["x86_64", "i686"] {
        let dump = dump(&windows::program(architecture)?)?;
        let later: Vec<String> = imports(&dump)?.into_iter().filter(|import| !is_there(import, architecture)).collect();
        assert!(later.is_empty(), "{architecture}: nobody has looked up whether Windows 7 SP1 has {later:?}");
        for part in ["OSystemVersion", "SubsystemVersion"] {
            let wants = (number(&dump, &format!("Major{part}"))?, number(&dump, &format!("Minor{part}"))?);
            assert!(wants <= OLDEST, "{architecture}: {part} {wants:?}");
        }
    }
    Ok(())
}

#[test]
fn the_windows_programs_say_whose_they_are_and_ask_for_no_rights() -> anyhow::Result<()> {
    for architecture in ["x86_64", "i686"] {
        let program = std::fs::read(windows::program(architecture)?)?;
        let holds = |bytes: &[u8]| program.windows(bytes.len()).any(|window| window == bytes);
        let text = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        for stated in ["CompanyName", "Trạm An", "FileVersion", env!("CARGO_PKG_VERSION")] {
            assert!(holds(&text(stated)), "{architecture}: {stated}");
        }
        assert!(holds(br#"<requestedExecutionLevel level="asInvoker""#), "{architecture}: no manifest");
    }
    Ok(())
}

#[test]
fn functions_that_windows_7_lacks_are_noticed() -> anyhow::Result<()> {
    let dump = "\tDLL Name: KERNEL32.dll\n\tvma:  Hint/Ord Member-Name Bound-To\n\t5594c0\t  161  CloseHandle\n\
        \t5594d8\t  283  GetSystemTimePreciseAsFileTime\n\n 00558014\t00558270 00000000 00000000 0055aa3c 00558be0\n\n\
        \tDLL Name: api-ms-win-core-synch-l1-2-0.dll\n\tvma:  Hint/Ord Member-Name Bound-To\n\t55963a\t   82  WaitOnAddress\n\
        \t80000010\t   16  <none>\n\nThe Function Table\n";
    let found = imports(dump)?;
    let lacks: Vec<&str> = found.iter().map(String::as_str).filter(|import| !is_there(import, "x86_64")).collect();
    let synch = "api-ms-win-core-synch-l1-2-0.dll";
    assert_eq!(found.len(), 4);
    assert_eq!(
        lacks,
        ["kernel32.dll!GetSystemTimePreciseAsFileTime", &format!("{synch}!WaitOnAddress"), &format!("{synch}!<none>")]
    );
    // A function only in the other architecture does not count.
    assert!(is_there("kernel32.dll!RtlUnwindEx", "x86_64") && !is_there("kernel32.dll!RtlUnwindEx", "i686"));
    assert!(imports("nothing").is_err());
    Ok(())
}
