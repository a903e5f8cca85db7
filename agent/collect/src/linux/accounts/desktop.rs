//! Graphical sessions: login without a password, and the screen lock set for everyone on the machine.

use policies::fact::{Fact, Reason, Seconds};

use crate::linux::context::{CheckContext, answered, unknown};
use crate::linux::text::{capped, ini, ini_value, unquoted, yes};
use os::Answer;

/// Reads whether one display manager logs somebody in automatically.
type Reader = fn(&CheckContext) -> Answer<bool>;

/// True when the configured display manager logs somebody in automatically.
pub(super) fn automatic_logon(context: &CheckContext) -> Fact<bool> {
    let unit = context.os.link("/etc/systemd/system/display-manager.service").ok();
    let chosen = unit.as_deref().and_then(|target| target.rsplit('/').next()).unwrap_or_default();
    let chosen = chosen.trim_end_matches(".service");
    // If systemd does not say which one is used, any display manager's file counts.
    let concerned = |name: &str| chosen.is_empty() || chosen.starts_with(name);
    let readers: [(&str, Reader); 4] = [("gdm", gdm), ("lightdm", lightdm), ("sddm", sddm), ("lxdm", lxdm)];
    let answers: Answer<Vec<bool>> =
        readers.iter().filter(|(name, _)| concerned(name)).map(|(_, read)| read(context)).collect();
    answered(answers, |found| match found[..] {
        [] => Fact::unknown(Reason::NoReader, format!("display manager {}", capped(chosen))),
        _ => Fact::Known(found.contains(&true)),
    })
}

/// Of several texts the last wins.
fn last(texts: &[String], section: &str, key: &str) -> Option<String> {
    texts.iter().rev().find_map(|text| ini_value(text, section, key))
}

fn gdm(context: &CheckContext) -> Answer<bool> {
    let texts = context.gathered(&["/etc/gdm3/custom.conf", "/etc/gdm3/daemon.conf", "/etc/gdm/custom.conf"])?;
    let says = |key: &str| last(&texts, "daemon", key).is_some_and(|value| yes(&value));
    Ok(says("automaticloginenable") || says("timedloginenable"))
}

fn lightdm(context: &CheckContext) -> Answer<bool> {
    let texts = context.gathered(&[
        "/usr/share/lightdm/lightdm.conf.d/*.conf",
        "/etc/lightdm/lightdm.conf.d/*.conf",
        "/etc/lightdm/lightdm.conf",
    ])?;
    let found = texts
        .iter()
        .flat_map(|text| ini(text))
        .rfind(|(section, key, _)| section.starts_with("seat") && key == "autologin-user");
    Ok(found.is_some_and(|(_, _, user)| !user.is_empty()))
}

fn sddm(context: &CheckContext) -> Answer<bool> {
    let texts = context.gathered(&["/usr/lib/sddm/sddm.conf.d/*.conf", "/etc/sddm.conf.d/*.conf", "/etc/sddm.conf"])?;
    Ok(last(&texts, "autologin", "user").is_some_and(|user| !user.is_empty()))
}

fn lxdm(context: &CheckContext) -> Answer<bool> {
    let texts = context.gathered(&["/etc/lxdm/lxdm.conf"])?;
    Ok(last(&texts, "base", "autologin").is_some_and(|user| !user.is_empty()))
}

/// Idle time plus the grace period before the lock, from the key files that dconf's databases are built from.
pub(super) fn screen_lock(context: &CheckContext) -> Fact<Seconds> {
    let texts =
        match context.gathered(&["/etc/dconf/db/distro.d/*", "/etc/dconf/db/site.d/*", "/etc/dconf/db/local.d/*"]) {
            Ok(texts) => texts,
            Err(error) => return unknown(&error),
        };
    let number = |section: &str, key: &str| {
        let value = last(&texts, section, key)?;
        value.rsplit(char::is_whitespace).next().and_then(|word| unquoted(word).parse::<i64>().ok())
    };
    let screensaver = "org/gnome/desktop/screensaver";
    let locks = last(&texts, screensaver, "lock-enabled").is_none_or(|value| yes(&value));
    match number("org/gnome/desktop/session", "idle-delay") {
        Some(0) => Fact::Known(Seconds(0)),
        Some(_) if !locks => Fact::Known(Seconds(0)),
        Some(idle) => Fact::Known(Seconds(idle.saturating_add(number(screensaver, "lock-delay").unwrap_or(0)))),
        None => Fact::unknown(Reason::NoReader, "the machine sets none; each person does"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    #[test]
    fn the_chosen_display_manager_decides() {
        let gdm = "[daemon]\r\nAutomaticLoginEnable = true\r\nAutomaticLogin = canbo\r\n";
        let os = Recorded::new().file("/etc/gdm3/custom.conf", gdm);
        assert_eq!(automatic_logon(&CheckContext::of(os.clone())), Fact::Known(true));
        let other = os.symlink("/etc/systemd/system/display-manager.service", "/lib/systemd/system/lightdm.service");
        assert_eq!(automatic_logon(&CheckContext::of(other.clone())), Fact::Known(false));
        let lightdm = other.file("/etc/lightdm/lightdm.conf", "[Seat:*]\n#autologin-user=\nautologin-user=canbo\n");
        assert_eq!(automatic_logon(&CheckContext::of(lightdm)), Fact::Known(true));
        let sddm = Recorded::new().file("/etc/sddm.conf.d/auto.conf", "[Autologin]\nUser=\n");
        assert_eq!(automatic_logon(&CheckContext::of(sddm)), Fact::Known(false));
        assert_eq!(automatic_logon(&CheckContext::of(Recorded::new())), Fact::Known(false));
        let strange =
            Recorded::new().symlink("/etc/systemd/system/display-manager.service", "/lib/systemd/system/ly.service");
        assert!(automatic_logon(&CheckContext::of(strange)).known().is_none());
    }

    #[test]
    fn the_screen_lock_of_all_comes_from_dconf() {
        let of = |text: &str| screen_lock(&CheckContext::of(Recorded::new().file("/etc/dconf/db/local.d/00-xa", text)));
        let set = "[org/gnome/desktop/session]\nidle-delay=uint32 600\n[org/gnome/desktop/screensaver]\nlock-enabled=true\nlock-delay=uint32 30\n";
        assert_eq!(of(set), Fact::Known(Seconds(630)));
        assert_eq!(of(&set.replace("=true", "=false")), Fact::Known(Seconds(0)));
        assert_eq!(of(&set.replace("600", "0")), Fact::Known(Seconds(0)));
        assert!(of("").known().is_none());
    }
}
