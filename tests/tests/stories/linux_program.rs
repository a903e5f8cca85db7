//! The static program for every Linux: it needs nothing from the machine but a kernel of 2013, and asks the machine itself for names that
//! its own C library does not know.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use harness::linux;
use harness::process::{answer, command};
use harness::test_agent::{Enrolment, TestAgent};
use serde_json::Value;

use super::books::Kind;
use super::world::World;

/// The most bytes it may have.
const LARGEST: u64 = 5_000_000;

#[test]
fn the_linux_program_is_static_and_small() -> anyhow::Result<()> {
    let program = linux::program()?;
    let said = answer(command("readelf").args(["--program-headers", "--dynamic", "--wide"]).arg(&program))?;
    ensure!(said.code == Some(0) && said.out.contains("LOAD"), "{said:?}");
    for needed in ["INTERP", "NEEDED"] {
        assert!(!said.out.contains(needed), "{needed}: {}", said.out);
    }
    let size = std::fs::metadata(&program)?.len();
    assert!(size <= LARGEST, "{size} bytes");
    Ok(())
}

/// What a kernel 3.10 does with a later system call: it does not know it (`ENOSYS`). A filter for x86-64 in the kernel's own form:
/// the number of the call, compared with the first one after 3.10.
fn filter_of_2013() -> Vec<u8> {
    const FIRST_LATER: u32 = 314;
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERROR_ENOSYS: u32 = 0x0005_0000 | 38;
    let steps: [(u16, u8, u8, u32); 4] = [
        (LOAD_WORD, 0, 0, 0),
        (JUMP_IF_AT_LEAST, 1, 0, FIRST_LATER),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, ERROR_ENOSYS),
    ];
    let bytes = |(code, yes, no, value): (u16, u8, u8, u32)| {
        let mut step = code.to_ne_bytes().to_vec();
        step.extend([yes, no]);
        step.extend(value.to_ne_bytes());
        step
    };
    steps.into_iter().flat_map(bytes).collect()
}

/// A program of its own that starts `program` in an enclosure with these `options`; `filter` is the file behind descriptor 9.
fn enclosed(place: &Path, options: &str, filter: &Path, program: &Path) -> anyhow::Result<PathBuf> {
    let script = format!(
        "#!/bin/sh\nexec bwrap --dev-bind / / {options} '{}' \"$@\" 9<'{}'\n",
        program.display(),
        filter.display()
    );
    std::fs::write(place, script)?;
    std::fs::set_permissions(place, PermissionsExt::from_mode(0o755))?;
    Ok(place.to_path_buf())
}

#[test]
fn it_connects_and_reports_on_a_kernel_of_2013_and_reads_the_same() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let filter = world.path("filter");
    std::fs::write(&filter, filter_of_2013())?;
    let on_old_kernel = |name: &str, program: &Path| enclosed(&world.path(name), "--seccomp 9", &filter, program);

    // The filter does what it should: sched_setattr came with 3.14.
    let later = on_old_kernel("chrt", Path::new("/usr/bin/chrt"))?;
    let times = ["--sched-runtime", "1000000", "--sched-deadline", "2000000", "--sched-period", "2000000"];
    let refused = answer(command(later).arg("--deadline").args(times).args(["0", "true"]))?;
    assert!(refused.err.contains("Function not implemented"), "{refused:?}");

    let program = linux::program()?;
    let old = on_old_kernel("agent", &program)?;
    let test_agent = TestAgent::new(old.clone(), world.path("machine"));
    test_agent.enrol(&world.enrolment(1)?)?;
    let once = answer(&mut test_agent.command("once"))?;
    assert!(matches!(once.code, Some(0 | 1)), "{once:?}");
    assert_eq!(world.books.count("select count(*) from report")?, 1);

    // Which facts are known does not depend on the kernel.
    let known = |program: &Path| -> anyhow::Result<Vec<String>> {
        let facts = answer(command(program).args(["facts", "--json"]))?;
        let facts: Value = serde_json::from_str(&facts.out)?;
        let sections = facts.as_object().into_iter().flatten();
        let all = sections
            .flat_map(|(section, facts)| facts.as_object().into_iter().flatten().map(move |fact| (section, fact)));
        Ok(all
            .filter(|(_, (_, fact))| fact.get("known").is_some())
            .map(|(section, (name, _))| format!("{section}.{name}"))
            .collect())
    };
    let new = known(&program)?;
    assert!(new.len() > 30, "{new:?}");
    assert_eq!(known(&old)?, new);
    Ok(())
}

#[test]
fn a_name_that_only_the_machine_knows_is_found() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let server = world.serve()?;
    let getent = world.path("getent");
    std::fs::write(
        &getent,
        "#!/bin/sh\n[ \"$*\" = 'ahosts may-chu.invalid' ] && echo '127.0.0.1       STREAM may-chu.invalid'\n",
    )?;
    std::fs::set_permissions(&getent, PermissionsExt::from_mode(0o755))?;
    let options = format!("--ro-bind '{}' /usr/bin/getent", getent.display());
    let program = enclosed(&world.path("agent"), &options, Path::new("/dev/null"), &linux::program()?)?;
    let test_agent = TestAgent::new(program, world.path("machine"));
    let enrolment = world.enrolment(2)?;
    let at = |host: &str| Enrolment { server: format!("{host}:{}", server.port), ..enrolment.clone() };
    assert_ne!(test_agent.try_enrol(&at("khong-co.invalid"))?.code, Some(0));
    test_agent.enrol(&at("may-chu.invalid"))?;
    Ok(())
}
