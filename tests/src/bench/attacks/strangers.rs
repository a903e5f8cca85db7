//! Attacks without a certificate, and by a person with a login.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::line::{Line, csrf, keep, log_in};
use super::{Field, rest};

/// How long an attacker waits for an answer it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many connections guess passwords.
const GUESSING: u32 = 600;
/// How long a new browser may take to get in beside them: three times what 95 of 100 need.
const GETS_IN: Duration = Duration::from_secs(30 * 60);
/// How often closed connections are reopened.
const AGAIN: Duration = Duration::from_millis(20);

/// Connections that say nothing; closed ones are reopened.
pub(super) fn silent(field: &Field<'_>) -> anyhow::Result<String> {
    let mut held: std::collections::VecDeque<TcpStream> = std::collections::VecDeque::new();
    let mut opened = 0;
    while !field.is_over() {
        let wanted = if opened < 3000 { 100 } else { 10 };
        for _ in 0..wanted {
            held.extend(TcpStream::connect_timeout(&field.target.address, PATIENCE));
            opened += 1;
        }
        while held.len() > 3000 {
            held.pop_front();
        }
        rest(AGAIN);
    }
    Ok(format!("{opened} opened in all"))
}

/// Connections that finish the handshake and send nothing.
pub(super) fn idle(field: &Field<'_>) -> anyhow::Result<String> {
    let mut held: std::collections::VecDeque<Line> = std::collections::VecDeque::new();
    let mut opened = 0;
    while !field.is_over() {
        held.extend(field.target.connect(PATIENCE));
        opened += 1;
        if held.len() > 1100 {
            held.pop_front();
            rest(AGAIN);
        }
    }
    Ok(format!("{opened} opened in all, {} held", held.len()))
}

/// Requests that are refused, as fast as one connection takes them.
pub(super) fn refused(field: &Field<'_>) -> anyhow::Result<String> {
    let before = std::fs::metadata(field.log)?.len();
    let mut sent = 0;
    let mut line = field.target.connect(PATIENCE)?;
    let enrolment = r#"{"token":"000G4-0R40M-30E20-9185G-R38E1-W","csr":"","machine_name":"x","place":"","traits":"0000000000000000000000000000000000000000000000000000000000000000","agent":"x"}"#;
    while !field.is_over() {
        if line.exchange("POST", protocol::path::ENROL, &[], enrolment).is_err() {
            line = field.target.connect(PATIENCE)?;
        }
        sent += 1;
    }
    let written = std::fs::metadata(field.log)?.len() - before;
    Ok(format!("{sent} sent, {} kB of log", written / 1024))
}

/// Downloads that are begun and not read.
pub(super) fn unread(field: &Field<'_>) -> anyhow::Result<String> {
    let folder = field.test_server.data().join("programs");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("tram-an-agent_0.0.0_amd64.deb"), vec![7; 5 << 20])?;
    let first = field.test_server.person_add("nguoi-tai", "Người Tải")?;
    let cookies = log_in(&field.target, "nguoi-tai", &first)?;
    let (mut held, mut refused) = (Vec::new(), 0);
    for _ in 0..512 {
        let mut line = field.target.connect(PATIENCE)?;
        line.send("GET", "/programs/tram-an-agent_0.0.0_amd64.deb", &cookies, "")?;
        match line.head() {
            Ok(head) if head.starts_with("HTTP/1.1 200") => {}
            _ => refused += 1,
        }
        held.push(line);
    }
    while !field.is_over() {
        rest(AGAIN);
    }
    Ok(format!("512 begun, {refused} of them refused"))
}

/// Connections that guess passwords, opened anew for each, until a new browser has logged in beside them.
pub(super) fn guessing(field: &Field<'_>) -> anyhow::Result<String> {
    let first = field.test_server.person_add("nguoi-moi", "Người Mới")?;
    let page = field.target.page("/login", PATIENCE)?;
    let (mut cookies, csrf) = (Vec::new(), csrf(&page)?);
    keep(&mut cookies, &page);
    let (done, checked) = (AtomicBool::new(false), AtomicU32::new(0));
    let guess = |number: u32| {
        for guess in 0.. {
            if done.load(Ordering::Relaxed) {
                return;
            }
            let form = format!("csrf={csrf}&login=ten-{number}-{guess}&password=sai");
            let answer =
                field.target.connect(GETS_IN).and_then(|mut line| line.exchange("POST", "/login", &cookies, &form));
            checked
                .fetch_add(u32::from(answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 401"))), Ordering::Relaxed);
        }
    };
    let took = std::thread::scope(|threads| {
        for number in 0..GUESSING {
            let guess = &guess;
            threads.spawn(move || guess(number));
        }
        // Until the checks that are free are used up and there is one at a time.
        let waits = Instant::now();
        while checked.load(Ordering::Relaxed) < 100 && waits.elapsed() < GETS_IN {
            rest(AGAIN);
        }
        let begun = Instant::now();
        let took = loop {
            if log_in(&field.target, "nguoi-moi", &first).is_ok() {
                break Some(begun.elapsed().as_secs());
            }
            if begun.elapsed() > GETS_IN {
                break None;
            }
        };
        done.store(true, Ordering::Relaxed);
        took
    });
    let took = took.context("the new browser was not in")?;
    Ok(format!("{GUESSING} connections, {} guesses checked, a new browser was in after {took} s", checked.into_inner()))
}
